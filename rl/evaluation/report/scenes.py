"""An episode as a page shows it: its scans with what was looked at drawn over them, and its turns (steps.py).

Boxes are drawn over the picture, not into it, so they stay sharp and one copy of a scan serves every episode that asks
about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from rl.evaluation.grounding import gold_regions
from rl.evaluation.report.steps import LONGEST_SIDE, Step, colour_of, data_url, first_views, steps_of
from rl.trajectories.looks import looks
from rl.trajectories.record import Trajectory
from tools.geometry import PixelBox, point_to_pixels
from tools.images.store import ImageStore


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
        steps=tuple(steps_of(trajectory, store)),
    )


def scan_url(image: str, store: ImageStore) -> str:
    """A scan as a data URL, at most LONGEST_SIDE pixels on its longer side."""
    picture = store.get(image).display()
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return data_url(picture, "WEBP", quality=86)


def _scan(trajectory: Trajectory, number: int, image: str, store: ImageStore) -> Scan:
    width, height = store.get(image).size
    first_view = first_views(trajectory)
    boxes = [
        Mark(*look.box, colour=colour_of(look.call), label=str(first_view.get(look.call, "")))
        for look in looks(trajectory.calls)
        if look.image == image
    ]
    lines = [
        Mark(*ends, colour=colour_of(index))
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
