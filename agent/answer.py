"""What an episode ends with, whichever graph ran it: an answer with the evidence it rests on, an abstention, or why
there is neither.

Plain values: states, checkpoints, trajectories and JSON hold them. Images are ids of the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from typing_extensions import TypedDict

from agent.question import Question
from tools.images.store import ImageStore

Outcome = Literal["answered", "abstained", "too_many_turns", "context_full", "unreadable", "out_of_time", "bug"]
"""How an episode ended; the last three are said by who runs the graph (rl/rollout/endings.py), not by the graph."""


class Message(TypedDict):
    """One entry of a transcript."""

    role: Literal["user", "policy", "tools"]
    text: str
    images: list[str]


class Answer(Question):
    """What every graph of ours ends with."""

    answer: str | None
    evidence: list[dict[str, Any]]
    """What the sub-images that the answer rests on show: image id, number, tool, source id, box in source pixels, of a
    volume the section (plane, first, last). An image of several views has an entry for each, one of a plot none."""
    outcome: Outcome | None
    transcript: list[Message]
    calls: list[dict[str, Any]]
    """Every tool call of the episode with its result."""
    turns: int
    """How often the policy spoke."""
    faults: int
    """Turns that could not be read."""
    versions: list[str]
    """The policy's versions that sampled, each once, in order: two where its weights were swapped in the middle."""


def cited(images: Sequence[str], calls: Sequence[Mapping[str, Any]], store: ImageStore) -> list[dict[str, Any]]:
    """What an answer rests on: the images that tool calls made, and what each shows of its source."""
    made_by = {image: call["call"]["name"] for call in calls for image in call["images"]}
    found: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        provenance = store.get(image).provenance
        if image in made_by and provenance is not None:
            made = {"image": image, "number": number, "tool": made_by[image]}
            for panel in provenance.panels:
                section = panel.section and asdict(panel.section)
                found.append({**made, "source": panel.source, "box": list(panel.box), "section": section})
    return found
