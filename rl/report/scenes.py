"""An episode as a page shows it: its scans with what was looked at drawn over them, its sub-images, its turns.

Boxes are drawn over the picture, not into it, so they stay sharp and one copy of a scan serves every episode that asks
about it. Text is plain text here; the template escapes it.
"""

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from PIL import Image

from agent.prompt import IMAGE
from agent.protocol import MalformedTurn, parse_turn
from rl.looks import looks
from rl.report.looks import gold_regions
from rl.trajectories.record import Trajectory
from tools.geometry import PixelBox, point_to_pixels
from tools.images.store import ImageStore

COLOURS = ("#35c7ff", "#ff6ac1", "#8df07c", "#ff9b54", "#b9a5ff", "#fff27a")
"""Of an episode's calls in turn; bright on grey scans and on stained tissue."""

LONGEST_SIDE = 640
"""Pixels of a scan on the page; boxes keep the scan's own coordinates."""


@dataclass(frozen=True)
class Mark:
    """A box (x1, y1, x2, y2) or a line (from x1, y1 to x2, y2) on a scan, in its pixels."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str = ""
    label: str = ""


@dataclass(frozen=True)
class Scan:
    """An image of the question with what an episode did on it."""

    id: str
    number: int
    width: int
    height: int
    gold: tuple[Mark, ...]
    boxes: tuple[Mark, ...]
    lines: tuple[Mark, ...]


@dataclass(frozen=True)
class View:
    """A sub-image that a tool returned."""

    number: int
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


@dataclass(frozen=True)
class Scene:
    """One episode."""

    correct: bool
    answer: str | None
    outcome: str
    scans: tuple[Scan, ...]
    steps: tuple[Step, ...]


def scene(trajectory: Trajectory, store: ImageStore) -> Scene:
    """The scene of an episode. Raises ImageError where the store does not hold its images."""
    return Scene(
        correct=trajectory.correct,
        answer=trajectory.answer,
        outcome=trajectory.outcome.replace("_", " "),
        scans=tuple(
            _scan(trajectory, number, image, store) for number, image in enumerate(trajectory.task["images"], start=1)
        ),
        steps=tuple(_steps(trajectory, store)),
    )


def scan_url(image: str, store: ImageStore) -> str:
    """A scan as a data URL, at most LONGEST_SIDE pixels on its longer side."""
    picture = store.get(image).display()
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return _data_url(picture, "WEBP", quality=86)


def _data_url(picture: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def _scan(trajectory: Trajectory, number: int, image: str, store: ImageStore) -> Scan:
    width, height = store.get(image).size
    first_view = _first_views(trajectory)
    boxes = [
        Mark(*look.box, colour=_colour(look.call), label=str(first_view.get(look.call, "")))
        for look in looks(trajectory.calls)
        if look.image == image
    ]
    lines = [
        Mark(*ends, colour=_colour(index))
        for index, call in enumerate(trajectory.calls)
        if call["status"] == "ok" and (ends := _line(call["call"]["arguments"], number, width, height))
    ]
    gold = [Mark(*box) for source, box in gold_regions(trajectory) if source == image]
    return Scan(image, number, width, height, tuple(gold), tuple(boxes), tuple(lines))


def _line(arguments: Mapping[str, Any], number: int, width: int, height: int) -> PixelBox | None:
    """Start and end, in pixels, of a call that names two points of this image, as a measurement does."""
    if arguments.get("image") != number or not {"start", "end"} <= arguments.keys():
        return None
    start, end = (point_to_pixels(cast("list[int]", arguments[name]), width, height) for name in ("start", "end"))
    return *start, *end


def _first_views(trajectory: Trajectory) -> dict[int, int]:
    """Number, in the conversation, of the first sub-image of each call that returned any."""
    number = len(trajectory.task["images"])
    first: dict[int, int] = {}
    for index, call in enumerate(trajectory.calls):
        if call["images"]:
            first[index] = number + 1
        number += len(call["images"])
    return first


def _steps(trajectory: Trajectory, store: ImageStore) -> list[Step]:
    colours = [_colour(index) for index, call in enumerate(trajectory.calls) for _ in call["images"]]
    shown = len(trajectory.task["images"])
    steps: list[Step] = []
    for message in trajectory.transcript[1:]:
        if message["role"] == "policy":
            steps.append(_said(message["text"]))
            continue
        views: list[View] = []
        for image in message["images"]:
            views.append(_view(image, shown + 1, colours[shown - len(trajectory.task["images"])], store))
            shown += 1
        text = message["text"].replace(f"{IMAGE} ", "").replace(IMAGE, "")
        steps.append(Step("tools", text=text.strip(), views=tuple(views)))
    return steps


def _said(text: str) -> Step:
    try:
        turn = parse_turn(text)
    except MalformedTurn:
        return Step("policy", text=text, unreadable=True)
    calls = tuple(f"{call.name}({_arguments(call.arguments)})" for call in turn.calls)
    return Step("policy", thought=turn.thought, calls=calls, answer=turn.answer or "")


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())


def _view(image: str, number: int, colour: str, store: ImageStore) -> View:
    picture = store.get(image).display()
    width, height = picture.size
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return View(number, _data_url(picture, "PNG", optimize=True), width, height, colour)


def _colour(call: int) -> str:
    return COLOURS[call % len(COLOURS)]
