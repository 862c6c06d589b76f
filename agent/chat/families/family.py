"""What every family of models has to say for itself: how its checkpoints speak, and, as encoders, how they see.

A family renders only what is new in a conversation, as text for one tokenisation, through the checkpoint's own chat
template. What stands after a policy's turn is found by rendering a stand-in for that turn with the new messages behind
it: nothing is assumed about the template but that this text does not depend on what went before, and `drift.py` proves
that. Prompts are ChatML unless a family says otherwise. The rules of Hermes-style calls are in `hermes.py`, those of
our own turn format in `medvista.py`, how Qwen sees in `qwen_images.py`.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, cast

from agent.chat.families import chatml
from agent.chat.families.template import A_TOOL, PROBE, Tool, render, template_of
from agent.chat.messages import ImagePart, MessageContent
from agent.chat.turn_reader import THINK, Reader
from agent.encoder import Encoder, Sized, Span
from agent.protocol import Turn

TURN = "\ue000the policy's turn\ue001"
"""Stands for a policy's turn while a template is rendered; private-use characters, which no message holds."""
THOUGHT_OPENER = "<think>\n"
PICTURE = "<image>"
"""Stands in readable text where an image was shown."""
OWN_TAGS = ("think", "tools", "tool_call", "tool_response")
"""Tags that the rules here write themselves where a template does not."""
_TAG = re.compile(r"</?[A-Za-z_|][\w|]*>")
_CONTROL = re.compile(r"<\|.*\|>")
"""How control tokens look that a tokenizer does not call special."""


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


class Family(Encoder):
    """One checkpoint's way of speaking and seeing."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fits(cls, processor: Any) -> int:
        """0 for a checkpoint of another family; the greater, the surer."""

    # what is rendered

    def opening(self, group: Sequence[MessageContent], tools: Sequence[Tool] = ()) -> str:
        """The text from the conversation's beginning up to the policy's turn."""
        return self.rendered(self.messages(group, NOTHING, tools, opens=True), tools)

    def continuation(self, group: Sequence[MessageContent], before: Before) -> str:
        """The text from the end of a policy's turn (the token that ends it first) up to its next turn."""
        stand_in = [{"role": "user", "content": "."}, {"role": "assistant", "content": TURN}]
        text = self.rendered([*stand_in, *self.messages(group, before)])
        return text.partition(TURN)[2]

    @abstractmethod
    def messages(
        self, group: Sequence[MessageContent], before: Before, tools: Sequence[Tool] = (), opens: bool = False
    ) -> list[dict[str, Any]]:
        """The group as the template takes it; `opens` where the conversation begins with it."""

    @abstractmethod
    def turn_text(self, said: MessageContent) -> str:
        """A turn that no policy of ours sampled, as this family would write it."""

    @abstractmethod
    def write(self, turn: Turn) -> str:
        """An expert's turn as a policy of this family would write it, without the token that ends it."""

    def tokens(self, text: str, images: Sequence[Sized]) -> Tokens:
        """The ids of a text that was rendered here. Raises EncodingError."""
        ids, spans = self.encode(text, [self.grid(image) for image in images])
        return Tokens(tuple(ids), tuple(self.prompt(ids, spans)), tuple(spans))

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
        return _any_of({*self._control_tokens, *_TAG.findall(template_of(self.processor)), *own})

    @property
    def _control_tokens(self) -> set[str]:
        tokenizer = self.tokenizer
        added: list[Any] = list(tokenizer.added_tokens_decoder.values())
        named = {str(token) for token in added if token.special or _CONTROL.fullmatch(str(token))}
        named |= set(tokenizer.all_special_tokens)
        return named | set(tokenizer.convert_ids_to_tokens([*self.banned, self.end_of_turn]))

    # what is read

    def reader(self) -> Reader:
        """A reader for one turn of this policy."""
        return Reader(THINK if self.opens_thought else "")

    @cached_property
    def opens_thought(self) -> bool:
        """Whether the template itself begins the policy's thought."""
        return self.opening([MessageContent("user", (".",))]).endswith(THOUGHT_OPENER)

    # what is read in a prompt

    def turns_written(self, prompt: str) -> int:
        """How many turns the policy has written in a decoded prompt, which ends where its next one begins."""
        return chatml.turns_begun(prompt) - 1

    def last_observation(self, prompt: str) -> str:
        """What a decoded prompt says after the policy's last turn, the system message left out."""
        return "\n".join(chatml.after_last_turn(prompt))

    def readable(self, text: str) -> str:
        """What others than the policy say in a piece of a decoded prompt, as a person reads it."""
        spoken = "\n".join(content for role, content in chatml.messages(text) if role != "assistant")
        return self._controls.sub("", self._shown_images.sub(PICTURE, spoken))

    @cached_property
    def _shown_images(self) -> re.Pattern[str]:
        text, token = re.escape(self.image_text), re.escape(self.image_token)
        begin, end = (f"(?:{re.escape(each)})?" for each in self.frame)
        return re.compile(text.replace(token, f"{begin}(?:{token})+{end}"))

    # what is forced

    @abstractmethod
    def forced_calls(self, tools: Sequence[Tool], parallel: bool) -> dict[str, Any]:
        """The xgrammar structural tag of a turn that calls one of `tools`, or several where `parallel`."""

    @abstractmethod
    def guided_json(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The structural tag of a turn whose text is JSON of `schema`."""

    # the template

    def rendered(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Tool] = ()) -> str:
        """What the template makes of messages and, where it describes them, tools."""
        described = [cast("dict[str, Any]", self.plain_values(tool)) for tool in tools] if self.shows_tools else None
        return render(self.processor, messages, described or None)

    @cached_property
    def shows_tools(self) -> bool:
        """Whether the template describes tools itself."""
        return PROBE in render(self.processor, [{"role": "user", "content": "."}], A_TOOL)

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

    def content(self, said: MessageContent, before: Before) -> str | list[dict[str, str]]:
        """A message's texts and images in order, each image announced by its number in the conversation."""
        if not said.images:
            return self.plain(said.text)
        number = before.images
        shown: list[dict[str, str]] = []
        for part in said.joined:
            if isinstance(part, ImagePart):
                number += 1
                shown += [{"type": "text", "text": f"Image {number}: "}, {"type": "image"}]
            else:
                shown.append({"type": "text", "text": self.plain(part)})
        return shown


def _any_of(marks: set[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True)))


def _apart(marks: re.Pattern[str], text: str) -> str:
    """The text with a space behind the first character of each mark."""
    text = text.encode(errors="replace").decode()
    return marks.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)


def after(before: Before, said: MessageContent) -> Before:
    """What the conversation holds once `said` was said."""
    asks = said.role == "user" and said.text and not said.note
    question = said.text if asks else before.question
    return Before(before.images + len(said.images), question)
