"""What a reader found, as another reader is told it: what it looked at, what its tools said, what it answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage
from typing_extensions import TypedDict

from agent.chat_model.pictures import image_block
from agent.chat_model.reply import FAULT


class Finding(TypedDict):
    """One finished reading."""

    reader: str
    answer: str
    images: list[str]
    """Ids of the images that its tools made, in order."""
    calls: list[dict[str, Any]]
    turns: int
    faults: int
    versions: list[str]
    """The policy's versions that sampled."""


def found(reader: str, messages: Sequence[AnyMessage], calls: Sequence[Mapping[str, Any]]) -> Finding:
    """The finding of a reading that has ended."""
    spoke = [message for message in messages if isinstance(message, AIMessage)]
    return Finding(
        reader=reader,
        answer=_answer(messages[-1]),
        images=[image for call in calls for image in call["images"]],
        calls=[dict(call) for call in calls],
        turns=len(spoke),
        faults=sum(FAULT in message.response_metadata for message in spoke),
        versions=[each for message in spoke for each in message.response_metadata.get("versions", ())],
    )


def _answer(last: AnyMessage) -> str:
    answers = isinstance(last, AIMessage) and not last.tool_calls and FAULT not in last.response_metadata
    return last.text.strip() if answers else ""


def blocks(finding: Finding) -> list[dict[str, Any]]:
    """The finding as content blocks of a message; images in the order of `finding["images"]`."""
    shown: list[dict[str, Any]] = [_text(f"\nThe {finding['reader']} reader looked:\n")]
    for call in finding["calls"]:
        shown += [*map(image_block, call["images"]), _text(f"{call['text']}\n")]
    return [*shown, _text(f"The {finding['reader']} reader answers: {finding['answer'] or 'nothing'}\n")]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
