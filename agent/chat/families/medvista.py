"""The embedded policy, and any other that was taught the turn format of agent/protocol.py.

A turn is `<think>...</think>` and then calls or `<answer>...</answer>`. Every character is that of agent/prompt.py,
which the base was taught. Its template is known by having one line: role, content, end.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from agent.chat.families.family import Before, Family, after
from agent.chat.families.qwen_images import QwenImages
from agent.chat.families.structure import call_tag, json_format, parameters, sequence
from agent.chat.families.template import A_TOOL, Tool, render
from agent.chat.messages import ImagePart, MessageContent
from agent.chat.turn_reader import Reader, protocol_reader
from agent.prompt import END_OF_TURN, IMAGE, plain, system_prompt
from agent.protocol import Turn, render_turn
from tools.signature import signature_line

TEMPLATE = f"<|im_start|>user\nU{END_OF_TURN}\n<|im_start|>tool\nT{END_OF_TURN}\n<|im_start|>assistant\n"
"""What a template without any rules of its own makes of a user's U and a tool's T."""
SHORTEST = {"type": "any_text", "max_chars": 200}
"""A thought in guided turns: long enough for what the policy was taught."""
LONGEST_TEXT = 60
"""Characters of a text in guided JSON whose schema sets no limit."""
PLAIN_TEXT = r'^[^<"\\\x00-\x1f]{0,%d}$'
"""A pattern for texts in guided JSON: without tags, escapes and control characters, of so many characters at most."""
GREATEST = 999_999
"""Integer in guided JSON whose schema sets no limits."""


class MedVista(QwenImages, Family):
    """The rules of our own turn format."""

    name: ClassVar[str] = "medvista"

    @classmethod
    def fits(cls, processor: Any) -> int:
        """Known by how it sees, and by a template that has no rules of its own."""
        if not cls.sees(processor):
            return 0
        probe = [{"role": "user", "content": "U"}, {"role": "tool", "content": "T"}]
        return 2 if {render(processor, probe, None), render(processor, probe, A_TOOL)} == {TEMPLATE} else 0

    def plain(self, text: str) -> str:
        """As agent/prompt.py makes text plain."""
        return plain(text)

    def messages(
        self, group: Sequence[MessageContent], before: Before, tools: Sequence[Tool] = (), opens: bool = False
    ) -> list[dict[str, Any]]:
        """System prompt, question and observations in the words of agent/prompt.py."""
        shown: list[dict[str, Any]] = []
        rest = list(group)
        if opens:
            named = [rest.pop(0).text] if rest and rest[0].role == "system" else []
            section = "\n".join(tool_line(tool) for tool in tools)
            shown.append({"role": "system", "content": "\n".join([system_prompt(section), *map(plain, named)])})
        lines: list[str] = []
        for number, said in enumerate(rest):
            if _told(said):
                lines.append(_observed(said, before))
            else:
                shown.append({"role": said.role, "content": self._said(said, before)})
            before = after(before, said)
            if lines and (number + 1 == len(rest) or not _told(rest[number + 1])):
                question = [plain(before.question)] if number + 1 == len(rest) and before.question else []
                shown.append({"role": "user", "content": "\n".join([*lines, *question])})
                lines = []
        return shown

    def _said(self, said: MessageContent, before: Before) -> str:
        if said.role == "assistant":
            return plain(self.turn_text(said))
        number = before.images
        text = ""
        for part in said.joined:
            if isinstance(part, ImagePart):
                number += 1
                text += f"Image {number}: {IMAGE}\n"
            else:
                text += plain(part)
        return text

    def turn_text(self, said: MessageContent) -> str:
        """A turn that no policy of ours sampled, as this family would write it."""
        calls = [f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}' for call in said.calls]
        act = "".join(f"<tool_call>{call}</tool_call>" for call in (*calls, *said.malformed))
        return f"<think>{said.thought}</think>" + (act or f"<answer>{said.text}</answer>")

    def write(self, turn: Turn) -> str:
        """As agent/protocol.py writes it."""
        return render_turn(turn)

    def reader(self) -> Reader:
        """A reader that agrees with agent/protocol.py."""
        return protocol_reader()

    def forced_calls(self, tools: Sequence[Tool], parallel: bool) -> dict[str, Any]:
        """A thought, then calls."""
        tags = [call_tag(tool, "<tool_call>", "</tool_call>", bounded(parameters(tool))) for tool in tools]
        calls = {"type": "tags_with_separator", "tags": tags, "separator": "", "at_least_one": True}
        return sequence(_THOUGHT, {**calls, "stop_after_first": not parallel})

    def guided_json(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """A thought, then an answer that is JSON."""
        answer = {"type": "tag", "begin": "<answer>", "content": json_format(bounded(schema)), "end": "</answer>"}
        return sequence(_THOUGHT, answer)


def bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with plain, short texts and a greatest integer where it says nothing of them.

    A policy of two million parameters was never taught to end a text in JSON: held by a grammar that lets it go on, it
    goes on. And what a grammar holds must be readable: a tag inside a text would end the answer.
    """
    limits: dict[str, Any] = {}
    if schema.get("type") == "string" and not schema.keys() & {"enum", "const", "pattern", "format", "minLength"}:
        limits = {"pattern": PLAIN_TEXT % schema.get("maxLength", LONGEST_TEXT)}
    if schema.get("type") == "integer" and not schema.keys() & {"enum", "const", "minimum", "maximum"}:
        limits = {"minimum": -GREATEST, "maximum": GREATEST}
    return {**{name: _bounded(value) for name, value in schema.items()}, **limits}


def _bounded(value: object) -> object:
    if isinstance(value, Mapping):
        return bounded(cast("Mapping[str, Any]", value))
    if isinstance(value, list):
        return [_bounded(each) for each in cast("list[object]", value)]
    return value


_THOUGHT = {"type": "tag", "begin": "<think>", "content": SHORTEST, "end": "</think>"}


def tool_line(tool: Tool) -> str:
    """A tool's line in the system prompt, as `Toolbox.prompt_section` writes it."""
    function = tool["function"]
    return plain(signature_line(function["name"], function.get("description", ""), parameters(tool)))


def _told(said: MessageContent) -> bool:
    """Whether a message tells the policy of what it did: a tool's answer, or a note; the question is said again."""
    return said.role == "tool" or said.note


def _observed(said: MessageContent, before: Before) -> str:
    """The images of a call or note, numbered on, and its text."""
    shown = "".join(f"Image {before.images + place}: {IMAGE} " for place in range(1, len(said.images) + 1))
    return shown + plain(said.text)
