"""Rules for chat templates in Qwen's format, with tools in the template or without.

Qwen3-VL's template describes tools and has a turn for what they return; that of Qwen2.5-VL and InternVL3 has neither,
so tools are described in the system message and answered in a user turn, in the same words. Images never stand in a
tool's turn (vLLM refuses them there): they follow it in a user turn. Calls are
`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, and plain text is an answer. Thoughts are written where the
template knows them, and nowhere else.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from agent.chat.families.family import Before, Family, after
from agent.chat.families.structure import call_tag, json_format, parameters, sequence
from agent.chat.families.template import Tool, template_of
from agent.chat.messages import ImagePart, MessageContent
from agent.prompt import how_to_read
from agent.protocol import Turn

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
        self, group: Sequence[MessageContent], before: Before, tools: Sequence[Tool] = (), opens: bool = False
    ) -> list[dict[str, Any]]:
        """The group as the template takes it."""
        shown: list[dict[str, Any]] = []
        answers: list[MessageContent] = []
        if opens:
            system = [said for said in group[:1] if said.role == "system"]
            shown, group = [{"role": "system", "content": self._system(system, tools)}], group[len(system) :]
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

    def _system(self, own: Sequence[MessageContent], tools: Sequence[Tool]) -> str:
        """What every agent is told, what this one is told, and the tools where the template does not tell of them."""
        described: list[str] = []
        if tools and not self.shows_tools:
            lines = "\n".join(json.dumps(self.plain_values(tool)) for tool in tools)
            described = [HOW_TO_CALL.format(tools=lines)]
        return "\n\n".join([how_to_read(bool(tools)), *(self.plain(said.text) for said in own), *described])

    def _content(self, said: MessageContent, before: Before) -> str | list[dict[str, str]]:
        return self.plain_turn(self.turn_text(said)) if said.role == "assistant" else self.content(said, before)

    def turn_text(self, said: MessageContent) -> str:
        """A turn that no policy of ours sampled, as this family would write it."""
        calls = [f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}' for call in said.calls]
        thought = f"<think>\n{said.thought}\n</think>\n\n" if said.thought and self.thinks else ""
        return thought + _act(said.text, [*calls, *said.malformed])

    def write(self, turn: Turn) -> str:
        """The thought, if the template knows thoughts, from where the template has begun it; calls or the answer."""
        calls = [json.dumps({"name": call.name, "arguments": call.arguments}) for call in turn.calls]
        begun = "" if self.opens_thought else "<think>\n"
        thought = f"{begun}{turn.thought}\n</think>\n\n" if self.thinks else ""
        return thought + _act(turn.answer or "", calls)

    @cached_property
    def thinks(self) -> bool:
        """Whether the template knows thoughts."""
        return "<think>" in template_of(self.processor)

    def _answered(self, answers: Sequence[MessageContent], before: Before) -> list[dict[str, Any]]:
        """What tools returned: a turn of their texts, then a user turn of their images."""
        if not answers:
            return []
        texts = [self.plain(answer.text) for answer in answers]
        images = tuple(ImagePart(image) for answer in answers for image in answer.images)
        parts: list[str | ImagePart] = [part for image in images for part in (image, "\n")]
        seen = MessageContent("user", (SHOWN, *parts[:-1]))
        shown = [{"role": "user", "content": self.content(seen, before)}] if images else []
        if self.shows_tools:
            return [*({"role": "tool", "content": text} for text in texts), *shown]
        text = "\n".join(f"<tool_response>\n{text}\n</tool_response>" for text in texts)
        return [{"role": "user", "content": text}, *shown]

    def forced_calls(self, tools: Sequence[Tool], parallel: bool) -> dict[str, Any]:
        """The end of a thought that the template has begun, and calls."""
        tags = [call_tag(tool, "<tool_call>\n", "\n</tool_call>", parameters(tool)) for tool in tools]
        calls = {"type": "tags_with_separator", "tags": tags, "separator": "\n"}
        return self._after_thought({**calls, "at_least_one": True, "stop_after_first": not parallel})

    def guided_json(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The end of a thought that the template has begun, and JSON."""
        return self._after_thought(json_format(schema))

    def _after_thought(self, then: dict[str, Any]) -> dict[str, Any]:
        thought = {"type": "tag", "begin": "", "content": {"type": "any_text"}, "end": "</think>\n\n"}
        return sequence(thought, then) if self.opens_thought else then


def _act(text: str, calls: Sequence[str]) -> str:
    return "\n".join(filter(None, [text, *(f"<tool_call>\n{call}\n</tool_call>" for call in calls)]))
