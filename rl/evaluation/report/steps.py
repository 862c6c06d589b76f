"""The turns of an episode as a page shows them: what the policy thought, called and answered, and what it was shown.

Text is plain text here; the template escapes it.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from agent.chat.turn_reader import Piece, Reader
from agent.prompt import IMAGE
from rl.trajectories.record import Trajectory
from tools.calls import ToolCall
from tools.images.store import ImageStore

MUTED = "#8a97a3"
"""Of a view that no tool call returned."""
COLOURS = ("#35c7ff", "#ff6ac1", "#8df07c", "#ff9b54", "#b9a5ff", "#fff27a")
"""Of an episode's calls in turn; bright on grey scans and on stained tissue."""

LONGEST_SIDE = 640
"""Pixels of a scan on the page; boxes keep the scan's own coordinates."""


@dataclass(frozen=True)
class View:
    """An image that the policy was shown beside the question's own."""

    number: int | None
    """In the conversation; None where the episode does not count it."""
    url: str
    width: int
    height: int
    colour: str


@dataclass(frozen=True)
class Step:
    """What the policy said in one turn, or what the tools answered."""

    by: str
    thought: str = ""
    calls: tuple[str, ...] = ()
    answer: str = ""
    text: str = ""
    unreadable: bool = False
    views: tuple[View, ...] = ()


def first_views(trajectory: Trajectory) -> dict[int, int]:
    """Number, in the conversation, of the first sub-image of each call that returned any."""
    made = [(index, image) for index, call in enumerate(trajectory.calls) for image in call["images"]]
    first: dict[int, int] = {}
    for (index, _), number in zip(made, _numbers(trajectory, [image for _, image in made]), strict=True):
        if number is not None:
            first.setdefault(index, number)
    return first


def _numbers(trajectory: Trajectory, shown: Sequence[str]) -> list[int | None]:
    """The number of each image that was shown beside the question's, in order; None for one that is not counted.

    One image may have been shown twice, under two numbers.
    """
    after = len(trajectory.task["images"])
    numbers: list[int | None] = []
    for image in shown:
        place = next((at for at in (after, 0) if image in trajectory.images[at:]), None)
        found = None if place is None else trajectory.images.index(image, place)
        after = after if found is None else max(after, found + 1)
        numbers.append(None if found is None else found + 1)
    return numbers


def steps_of(trajectory: Trajectory, store: ImageStore) -> list[Step]:
    """The episode from the policy's first turn on; before it, only what it was shown beside the question's images."""
    asked = set(trajectory.task["images"])
    new = [[each for each in message["images"] if each not in asked] for message in trajectory.transcript]
    numbers = iter(_numbers(trajectory, [image for images in new for image in images]))
    makers = [(image, index) for index, call in enumerate(trajectory.calls) for image in call["images"]]
    last = max((at for at, each in enumerate(trajectory.transcript) if each["role"] == "policy"), default=-1)
    steps: list[Step] = []
    spoken = False
    for place, (message, images) in enumerate(zip(trajectory.transcript, new, strict=True)):
        if message["role"] == "policy":
            steps.append(_said(message["text"], trajectory, place == last))
            spoken = True
            continue
        views = tuple(_view(image, next(numbers), _taken_colour(image, makers), store) for image in images)
        text = message["text"].replace(f"{IMAGE} ", "").replace(IMAGE, "").strip() if spoken else ""
        if views or text:
            steps.append(Step("tools", text=text, views=views))
    return steps


def _taken_colour(image: str, makers: list[tuple[str, int]]) -> str:
    """The colour of the call that returned the image; each is taken once."""
    found = next((place for place, (made, _) in enumerate(makers) if made == image), None)
    return MUTED if found is None else colour_of(makers.pop(found)[1])


def _said(text: str, trajectory: Trajectory, last: bool) -> Step:
    """A turn; its words are the answer where it is the one that the episode ended with."""
    answers = last and trajectory.answer is not None
    reader = Reader()
    pieces = [*reader.feed(text), *reader.close()]
    if reader.fault:
        return Step("policy", text=text, unreadable=True)
    calls = _calls([piece for piece in pieces if isinstance(piece, ToolCall)])
    thought, words = (
        "".join(piece.text for piece in pieces if isinstance(piece, Piece) and piece.kind == kind)
        for kind in ("thought", "text")
    )
    answers = answers and not calls
    return Step("policy", thought, calls, answer=words if answers else "", text="" if answers else words)


def _calls(calls: Sequence[ToolCall]) -> tuple[str, ...]:
    return tuple(f"{call.name}({_arguments(call.arguments)})" for call in calls)


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())


def _view(image: str, number: int | None, colour: str, store: ImageStore) -> View:
    picture = store.get(image).display()
    width, height = picture.size
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return View(number, data_url(picture, "PNG", optimize=True), width, height, colour)


def colour_of(call: int) -> str:
    """The colour of an episode's call, by its place."""
    return COLOURS[call % len(COLOURS)]


def data_url(picture: Image.Image, kind: str, **options: Any) -> str:
    """The picture as a URL that holds it, in one of Pillow's formats."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
