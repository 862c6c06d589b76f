"""What a message says: the part of a LangChain message that a policy reads, and nothing else.

Two messages that say the same are the same to a policy, whoever copied, stored or renamed them; so this, not the
message object, is what an episode's record is keyed by. Ids, names and metadata say nothing. Images are ids of our
store.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from agent.chat.images import PICTURE_BLOCKS, MessageImages
from tools.evidence import Evidence

Role = Literal["system", "user", "assistant", "tool"]
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "tool": "tool",
}
SAMPLE = "sample"
"""Where `response_metadata` carries the id of the sample that a message was made from."""
SAMPLE_PREFIX = "sample-"
THOUGHT = "reasoning_content"
"""Where `additional_kwargs` carries what the policy thought: LangChain's own place for it."""
NOTE = "note"
"""Where `additional_kwargs` of a user's message says that it is a note, and asks nothing."""
REPEATED_BLOCKS = ("tool_use", "tool_call", "tool_call_chunk", "function_call", "invalid_tool_call", "input_json_delta")
"""Blocks that say again what `tool_calls` says."""


class MessageError(ValueError):
    """A message that a policy cannot be shown; says what was got, what was expected and how to mend it."""


@dataclass(frozen=True)
class ImagePart:
    """An image of the conversation."""

    image: str
    """Its id in the store."""


@dataclass(frozen=True)
class CallPart:
    """A tool call that an assistant wrote."""

    name: str
    arguments: str
    """A JSON object with sorted keys."""


@dataclass(frozen=True)
class MessageContent:
    """One message."""

    role: Role
    parts: tuple[str | ImagePart, ...]
    """Texts and images in order; no empty text."""
    thought: str = ""
    calls: tuple[CallPart, ...] = ()
    malformed: tuple[str, ...] = ()
    """Calls that could not be read, as they were written."""
    note: bool = False
    """Whether it tells the policy of its turn (that it could not be read): no question takes its place."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Computed once: a conversation's messages are looked up again with every turn."""
        return hash((self.role, self.parts, self.thought, self.calls, self.malformed, self.note))

    @property
    def joined(self) -> tuple[str | ImagePart, ...]:
        """The parts, texts that stand side by side joined: what one ends with and the next begins with is one text."""
        found: list[str | ImagePart] = []
        for part in self.parts:
            if isinstance(part, str) and found and isinstance(found[-1], str):
                found[-1] += part
            else:
                found.append(part)
        return tuple(found)

    @property
    def text(self) -> str:
        """All texts, joined."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[str, ...]:
        """Ids of the images, in order."""
        return tuple(part.image for part in self.parts if isinstance(part, ImagePart))


def content_of(message: BaseMessage, pictures: MessageImages) -> MessageContent:
    """What `message` says. Raises MessageError for a block that no policy reads, ImageError for a damaged image."""
    parts = _parts(message, pictures)
    if isinstance(message, AIMessage):
        return MessageContent("assistant", parts, thought_of(message), _calls(message), _malformed(message))
    if isinstance(message, ToolMessage):
        return MessageContent("tool", parts + _shown(message, parts, pictures))
    if isinstance(message, SystemMessage):
        return MessageContent("system", parts)
    if isinstance(message, HumanMessage):
        return MessageContent("user", parts, note=message.additional_kwargs.get(NOTE) is True)
    role = ROLES.get(message.role) if isinstance(message, ChatMessage) else None
    if role is None:
        raise MessageError(
            f"Got a {type(message).__name__}, expected a system, human, AI or tool message, or a ChatMessage whose "
            f"role is one of {sorted(ROLES)}."
        )
    return MessageContent(role, parts)


def images_of(message: BaseMessage, pictures: MessageImages) -> tuple[str, ...]:
    """As `said(message, pictures).images`, for whom only these matter."""
    parts = _parts(message, pictures)
    more = _shown(message, parts, pictures) if isinstance(message, ToolMessage) else ()
    return tuple(part.image for part in (*parts, *more) if isinstance(part, ImagePart))


def sample_of(message: BaseMessage) -> str | None:
    """The id of the sample that a message says it was made from; None where it says nothing."""
    carried: object = message.response_metadata.get(SAMPLE)
    if isinstance(carried, str):
        return carried
    return message.id if message.id is not None and message.id.startswith(SAMPLE_PREFIX) else None


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """Arguments as JSON with sorted keys: equal arguments are equal texts."""
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False, default=str)


def _parts(message: BaseMessage, pictures: MessageImages) -> tuple[str | ImagePart, ...]:
    content = cast("str | Sequence[str | dict[str, Any]]", message.content)  # pyright: ignore[reportUnknownMemberType]
    if isinstance(content, str):
        return (content,) if content else ()
    return tuple(part for block in content for part in _block(block, pictures))


def _block(block: str | dict[str, Any], pictures: MessageImages) -> tuple[str | ImagePart, ...]:
    if isinstance(block, str):
        return (block,) if block else ()
    kind = block.get("type")
    if kind == "text":
        return (str(block["text"]),) if block.get("text") else ()
    if kind in PICTURE_BLOCKS:
        return (ImagePart(pictures.of_block(block)),)
    if kind == "tool_result":
        return _nested(block.get("content", ""), pictures)
    if kind in ("reasoning", "thinking", "redacted_thinking") or kind in REPEATED_BLOCKS:
        return ()
    raise MessageError(
        f"Got a content block of type {kind!r}, expected text or an image ({', '.join(PICTURE_BLOCKS)}); leave it "
        "out, or say in words what it holds."
    )


def _nested(content: object, pictures: MessageImages) -> tuple[str | ImagePart, ...]:
    if isinstance(content, list):
        blocks = cast("list[str | dict[str, Any]]", content)
        return tuple(part for block in blocks for part in _block(block, pictures))
    return (str(content),) if content else ()


def thought_of(message: AIMessage) -> str:
    """What was thought, wherever the message keeps it."""
    carried: object = message.additional_kwargs.get(THOUGHT)
    if isinstance(carried, str):
        return carried
    content = cast("str | Sequence[str | dict[str, Any]]", message.content)  # pyright: ignore[reportUnknownMemberType]
    if isinstance(content, str):
        return ""
    blocks = (block for block in content if isinstance(block, dict))
    return "".join(str(block.get("reasoning", block.get("thinking", ""))) for block in blocks)


def _calls(message: AIMessage) -> tuple[CallPart, ...]:
    return tuple(CallPart(call["name"], arguments_text(call["args"])) for call in message.tool_calls)


def _malformed(message: AIMessage) -> tuple[str, ...]:
    return tuple(call["args"] or "" for call in message.invalid_tool_calls)


def _shown(message: ToolMessage, parts: tuple[str | ImagePart, ...], pictures: MessageImages) -> tuple[ImagePart, ...]:
    """The images of a medical tool's evidence, where the content does not show them already."""
    artifact: object = message.artifact
    if not isinstance(artifact, Evidence) or any(isinstance(part, ImagePart) for part in parts):
        return ()
    return tuple(ImagePart(pictures.keep(image)) for image in artifact.images)


class ContentCache:
    """What messages say, read once for each message object for as long as it stays as it was.

    A conversation comes again whole with every turn. A message that was changed in place is read anew.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[BaseMessage, object, MessageContent]] = {}

    def of(self, message: BaseMessage, pictures: MessageImages) -> MessageContent:
        """As `said`."""
        known = self._known.get(id(message))
        if known is not None and known[0] is message and known[1] == _read_of(message):
            return known[2]
        says = content_of(message, pictures)
        self._known[id(message)] = message, _copied(_read_of(message)), says
        return says

    def forget(self) -> None:
        """Lets go of all messages."""
        self._known.clear()


def _read_of(message: BaseMessage) -> object:
    """All that `said` reads of a message but its type."""
    content: object = message.content  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(message, AIMessage):
        return content, message.tool_calls, message.invalid_tool_calls, message.additional_kwargs.get(THOUGHT)
    if isinstance(message, HumanMessage):
        return content, message.additional_kwargs.get(NOTE)
    return (content, id(message.artifact)) if isinstance(message, ToolMessage) else content


def _copied(value: Any) -> Any:
    """A copy that stays as it is when lists and mappings in `value` change; messages hold nothing else that can."""
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_copied(each) for each in cast("list[Any]", value)]
    if isinstance(value, tuple):
        return tuple(_copied(each) for each in cast("tuple[Any, ...]", value))
    return value
