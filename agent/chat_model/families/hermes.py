"""Rules for chat templates in Qwen's format, with tools in the template or without.

Qwen3-VL's template describes tools and has a turn for what they return; that of Qwen2.5-VL and InternVL3 has neither,
so tools are described in the system message and answered in a user turn, in the same words. Images never stand in a
tool's turn (vLLM refuses them there): they follow it in a user turn.
"""

import json
from collections.abc import Sequence
from typing import Any

from agent.chat_model.families.family import Before, Family, Tool, after
from agent.chat_model.said import Picture, Said

HOW_TO_CALL = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function "
    "signatures within <tools></tools> XML tags:\n<tools>\n{tools}\n</tools>\n\nFor each function call, return a json "
    "object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{{"name": <function-name>, "arguments": <args-json-object>}}\n</tool_call>'
)
SHOWN = "What the tools show:\n"


class Hermes(Family):
    """A ChatML template and Hermes-style calls."""

    def messages(
        self, group: Sequence[Said], before: Before, tools: Sequence[Tool] = (), opens: bool = False
    ) -> list[dict[str, Any]]:
        """The group as the template takes it."""
        shown: list[dict[str, Any]] = []
        answers: list[Said] = []
        if opens and tools and not self.shows_tools:
            described = HOW_TO_CALL.format(tools="\n".join(json.dumps(self.plain_values(tool)) for tool in tools))
            system = [said for said in group[:1] if said.role == "system"]
            text = "\n\n".join([*(self.plain(said.text) for said in system), described])
            shown, group = [{"role": "system", "content": text}], group[len(system) :]
        for said in [*group, None]:
            if said is not None and said.role == "tool":
                answers.append(said)
                continue
            shown += self._answered(answers, before)
            for answer in answers:
                before = after(before, answer)
            answers = []
            if said is not None:
                shown.append({"role": said.role, "content": self._content(said, before)})
                before = after(before, said)
        return shown

    def _content(self, said: Said, before: Before) -> str | list[dict[str, str]]:
        return self.plain_turn(self.turn_text(said)) if said.role == "assistant" else self.content(said, before)

    def turn_text(self, said: Said) -> str:
        """A turn that no policy of ours sampled, as this family would write it."""
        thought = f"<think>\n{said.thought}\n</think>\n\n" if said.thought else ""
        calls = [f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}' for call in said.calls]
        written = [f"<tool_call>\n{call}\n</tool_call>" for call in (*calls, *said.malformed)]
        return thought + "\n".join(filter(None, [said.text, *written]))

    def _answered(self, answers: Sequence[Said], before: Before) -> list[dict[str, Any]]:
        """What tools returned: a turn of their texts, then a user turn of their images."""
        if not answers:
            return []
        texts = [self.plain(answer.text) for answer in answers]
        images = tuple(Picture(image) for answer in answers for image in answer.images)
        parts: list[str | Picture] = [part for image in images for part in (image, "\n")]
        seen = Said("user", (SHOWN, *parts[:-1]))
        shown = [{"role": "user", "content": self.content(seen, before)}] if images else []
        if self.shows_tools:
            return [*({"role": "tool", "content": text} for text in texts), *shown]
        text = "\n".join(f"<tool_response>\n{text}\n</tool_response>" for text in texts)
        return [{"role": "user", "content": text}, *shown]
