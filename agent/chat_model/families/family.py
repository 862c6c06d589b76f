"""What every family of models has to say for itself, and what most have in common.

A family renders only what is new in a conversation, as text for one tokenisation, through the checkpoint's own chat
template. What stands after a policy's turn is found by rendering a stand-in for that turn with the new messages behind
it: nothing is assumed about the template but that this text does not depend on what went before, and `drift.py` proves
that. The common rules here are those of Hermes-style calls (Qwen, InternVL):
`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, cast

from agent.chat_model.reading import THINK, Reader
from agent.chat_model.said import Picture, Said
from agent.encoder import Encoder, Grid, Sized, Span

Tool = Mapping[str, Any]
"""A tool as OpenAI describes it: {"type": "function", "function": {"name", "description", "parameters"}}."""
TURN = "\ue000the policy's turn\ue001"
"""Stands for a policy's turn while a template is rendered; private-use characters, which no message holds."""
PROBE = "a_tool_that_is_looked_for"
A_TOOL: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": PROBE, "description": "Probe.", "parameters": {"type": "object"}}}
]
THOUGHT_OPENER = "<think>\n"
OWN_TAGS = ("think", "tools", "tool_call", "tool_response")
"""Tags that the rules here write themselves where a template does not."""
_TAG = re.compile(r"</?[A-Za-z_|][\w|]*>")
_CONTROL = re.compile(r"<\|.*\|>")
"""How control tokens look that a tokenizer does not call special."""
MOST_SPACES = 1
"""White space between two parts of guided JSON; without a limit a small policy writes nothing else."""


class TemplateError(ValueError):
    """A chat template that cannot be extended without changing what went before; says where it drifts."""


@dataclass(frozen=True)
class Tokens:
    """Some text and its images as ids."""

    ids: tuple[int, ...]
    """As the model reads them, every image a run of placeholders."""
    prompt: tuple[int, ...]
    """As engines take them, one placeholder for each image."""
    spans: tuple[Span, ...] = ()
    """Where the images stand in `ids`."""

    def without_first(self) -> "Tokens":
        """The same without its first id, which is no image's."""
        spans = tuple(Span(span.start - 1, span.length, span.grid) for span in self.spans)
        return Tokens(self.ids[1:], self.prompt[1:], spans)


@dataclass(frozen=True)
class Before:
    """What a conversation held before the messages that are to be rendered."""

    images: int = 0
    question: str = ""
    """What the user said last."""


NOTHING = Before()


class Family(ABC):
    """One checkpoint's way of speaking."""

    name: ClassVar[str]

    def __init__(self, processor: Any) -> None:
        self.encoder = self.encoder_of(processor)

    def encoder_of(self, processor: Any) -> Encoder:
        """What turns this family's text and images into ids."""
        return Encoder(processor)

    @classmethod
    @abstractmethod
    def fits(cls, processor: Any) -> int:
        """0 for a checkpoint of another family; the greater, the surer."""

    # what is rendered

    def opening(self, group: Sequence[Said], tools: Sequence[Tool] = ()) -> str:
        """The text from the conversation's beginning up to the policy's turn."""
        return self.rendered(self.messages(group, NOTHING, tools, opens=True), tools)

    def continuation(self, group: Sequence[Said], before: Before) -> str:
        """The text from the end of a policy's turn (the token that ends it first) up to its next turn."""
        stand_in = [{"role": "user", "content": "."}, {"role": "assistant", "content": TURN}]
        text = self.rendered([*stand_in, *self.messages(group, before)])
        return text.partition(TURN)[2]

    @abstractmethod
    def messages(
        self, group: Sequence[Said], before: Before, tools: Sequence[Tool] = (), opens: bool = False
    ) -> list[dict[str, Any]]:
        """The group as the template takes it; `opens` where the conversation begins with it."""

    @abstractmethod
    def turn_text(self, said: Said) -> str:
        """A turn that no policy of ours sampled, as this family would write it."""

    def tokens(self, text: str, images: Sequence[Sized]) -> Tokens:
        """The ids of a text that was rendered here. Raises EncodingError."""
        ids, spans = self.encoder.encode(text, [self.encoder.grid(image) for image in images])
        prompt: list[int] = []
        position = 0
        for span in spans:
            prompt.extend(ids[position : span.start + 1])
            position = span.start + span.length
        return Tokens(tuple(ids), (*prompt, *ids[position:]), tuple(spans))

    def placeholders(self, grid: Grid) -> int:
        """How many ids an image of this grid takes."""
        return self.encoder.placeholders(grid)

    def plain(self, text: str) -> str:
        """Text from a message that cannot be taken for what a chat is made of: control tokens, the template's tags.

        Half surrogate pairs, which no tokenizer takes, become question marks.
        """
        return _apart(self._marks, text)

    def plain_turn(self, text: str) -> str:
        """As `plain`, for a turn that nobody sampled: its tags are its own."""
        return _apart(self._controls, text)

    @cached_property
    def _controls(self) -> re.Pattern[str]:
        return _any_of(self._control_tokens)

    @cached_property
    def _marks(self) -> re.Pattern[str]:
        own = {f"<{slash}{name}>" for name in OWN_TAGS for slash in ("", "/")}
        return _any_of({*self._control_tokens, *_TAG.findall(str(_holder(self.encoder.processor).chat_template)), *own})

    @property
    def _control_tokens(self) -> set[str]:
        tokenizer = self.encoder.tokenizer
        added: list[Any] = list(tokenizer.added_tokens_decoder.values())
        named = {str(token) for token in added if token.special or _CONTROL.fullmatch(str(token))}
        named |= set(tokenizer.all_special_tokens)
        return named | set(tokenizer.convert_ids_to_tokens([*self.encoder.banned, self.encoder.end_of_turn]))

    # what is read

    def reader(self) -> Reader:
        """A reader for one turn of this policy."""
        return Reader(THINK if self.opens_thought else "")

    @cached_property
    def opens_thought(self) -> bool:
        """Whether the template itself begins the policy's thought."""
        return self.opening([Said("user", (".",))]).endswith(THOUGHT_OPENER)

    # what is forced

    def forced_calls(self, tools: Sequence[Tool], parallel: bool) -> dict[str, Any]:
        """The xgrammar structural tag of a turn that calls one of `tools`, or several where `parallel`."""
        calls = {"type": "tags_with_separator", "tags": [_call_tag(tool) for tool in tools], "separator": "\n"}
        return self.after_thought({**calls, "at_least_one": True, "stop_after_first": not parallel})

    def guided_json(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The structural tag of a turn whose text is JSON of `schema`."""
        return self.after_thought(json_format(schema))

    def after_thought(self, then: dict[str, Any]) -> dict[str, Any]:
        """The structural tag of `then`, behind the end of a thought where the template has begun one."""
        thought = {"type": "tag", "begin": "", "content": {"type": "any_text"}, "end": "</think>\n\n"}
        return sequence(thought, then) if self.opens_thought else then

    # the template

    def rendered(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Tool] = ()) -> str:
        """What the template makes of messages and, where it describes them, tools."""
        described = [cast("dict[str, Any]", self.plain_values(tool)) for tool in tools] if self.shows_tools else None
        return render(self.encoder.processor, messages, described or None)

    @cached_property
    def shows_tools(self) -> bool:
        """Whether the template describes tools itself."""
        return PROBE in render(self.encoder.processor, [{"role": "user", "content": "."}], A_TOOL)

    def plain_values(self, value: object) -> object:
        """A tool's description, which may come from elsewhere, without control tokens."""
        if isinstance(value, str):
            return self.plain(value)
        if isinstance(value, Mapping):
            named = cast("Mapping[str, object]", value)
            return {self.plain(name): self.plain_values(each) for name, each in named.items()}
        if isinstance(value, list | tuple):
            return [self.plain_values(each) for each in cast("Sequence[object]", value)]
        return value

    def content(self, said: Said, before: Before) -> str | list[dict[str, str]]:
        """A message's texts and images in order, each image announced by its number in the conversation."""
        if not said.images:
            return self.plain(said.text)
        number = before.images
        shown: list[dict[str, str]] = []
        for part in said.joined:
            if isinstance(part, Picture):
                number += 1
                shown += [{"type": "text", "text": f"Image {number}: "}, {"type": "image"}]
            else:
                shown.append({"type": "text", "text": self.plain(part)})
        return shown


def render(processor: Any, messages: Sequence[Mapping[str, Any]], tools: list[dict[str, Any]] | None) -> str:
    """What a processor's chat template makes of messages, the beginning of the policy's turn included.

    Raises TemplateError where the template refuses them.
    """
    from jinja2 import TemplateError as JinjaError

    template: Callable[..., object] = _holder(processor).apply_chat_template
    try:
        return str(template(list(messages), tools=tools, add_generation_prompt=True, tokenize=False))
    except JinjaError as error:
        roles = [message["role"] for message in messages]
        raise TemplateError(f"The chat template refuses a conversation of {roles}: {error}") from error


def _holder(processor: Any) -> Any:
    """What holds the chat template: the processor, or its tokenizer."""
    return processor if getattr(processor, "chat_template", None) else processor.tokenizer


def _any_of(marks: set[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True)))


def _apart(marks: re.Pattern[str], text: str) -> str:
    """The text with a space behind the first character of each mark."""
    text = text.encode(errors="replace").decode()
    return marks.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)


def after(before: Before, said: Said) -> Before:
    """What the conversation holds once `said` was said."""
    question = said.text if said.role == "user" and said.text else before.question
    return Before(before.images + len(said.images), question)


def sequence(*elements: Mapping[str, Any]) -> dict[str, Any]:
    """The structural tag of one thing after another."""
    return {"type": "sequence", "elements": list(elements)}


def json_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The structural tag of JSON that a schema allows."""
    return {"type": "json_schema", "json_schema": dict(schema), "max_whitespace_cnt": MOST_SPACES}


def _call_tag(tool: Tool) -> dict[str, Any]:
    function = tool["function"]
    begin = f'<tool_call>\n{{"name": {json.dumps(function["name"])}, "arguments": '
    return {"type": "tag", "begin": begin, "content": json_format(parameters(tool)), "end": "}\n</tool_call>"}


def parameters(tool: Tool) -> Mapping[str, Any]:
    """The schema of a tool's arguments."""
    return tool["function"].get("parameters") or {"type": "object", "properties": {}}
