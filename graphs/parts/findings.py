"""What a reader found, as another reader is told it: what it looked at, what its tools said, what it answered."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import HumanMessage
from typing_extensions import TypedDict

from agent.answer import Answer
from agent.chat.images import image_block
from agent.prompt import ABSTAIN


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


def finding_of(reader: str, done: Answer) -> Finding:
    """The finding of a reading that has ended."""
    return Finding(
        reader=reader,
        answer=done["answer"] or (ABSTAIN if done["outcome"] == "abstained" else ""),
        images=[image for call in done["calls"] for image in call["images"]],
        calls=done["calls"],
        turns=done["turns"],
        faults=done["faults"],
        versions=done["versions"],
    )


def findings_message(findings: Sequence[Finding], images: Sequence[str], question: str) -> HumanMessage:
    """The images, what each reader found, and the question."""
    told = [block for each in findings for block in content_blocks(each)]
    return HumanMessage([*map(image_block, images), *told, _text(question)])


def content_blocks(finding: Finding) -> list[dict[str, Any]]:
    """The finding as content blocks of a message; images in the order of `finding["images"]`."""
    shown: list[dict[str, Any]] = [_text(f"\nThe {finding['reader']} reader looked:\n")]
    for call in finding["calls"]:
        shown += [*map(image_block, call["images"]), _text(f"{call['text']}\n")]
    return [*shown, _text(f"The {finding['reader']} reader answers: {finding['answer'] or 'nothing'}\n")]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
