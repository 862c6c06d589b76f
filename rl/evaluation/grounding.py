"""Grounding: whether an episode looked where the answer lies, and whether a right answer rests on that.

rl/trajectories/looks.py says what a look is; gold regions are the task's, and no policy sees them. IoU and centre hits
take the best look of each region: a look elsewhere costs tokens, no more. Right for the right reason asks for more: a
look must cover most of a region and be no wider than it must be, for a box around a half of the image would hold every
region there and show little. A measurement (the ends of a distance) counts where it was taken in the region. Each
region must be held so, but one that fills more of its image than any look may show needs none.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from rl.evaluation.statistics import mean
from rl.tasks.task import Task
from rl.trajectories.looks import WIDEST, Look, family, looks
from rl.trajectories.record import Trajectory
from tools.geometry import PixelBox, intersection_over_union, point_to_pixels

HELD = 0.9
"""Share of a gold region's area that a look must cover."""
LARGEST = 0.25
"""Share of the image's area above which a look is too wide to hold a region, unless that is itself so large."""
Sizes = Mapping[str, tuple[int, int]]
"""(width, height) in pixels by image id."""


def gold_regions(trajectory: Trajectory) -> list[tuple[str, PixelBox]]:
    """(image id, box in its pixels) of what the task's answer lies in."""
    task = Task.from_plain(trajectory.task)
    return [(task.images[number - 1], box) for number, box in task.regions]


def overlap(trajectory: Trajectory) -> float | None:
    """Mean over the gold regions of the best IoU that a look reached, 0 to 1; None without gold regions or looks."""
    return _best(trajectory, intersection_over_union)


def centre_hits(trajectory: Trajectory) -> float | None:
    """Share of the gold regions whose centre lies within a look; None without gold regions or looks."""
    return _best(
        trajectory, lambda look, gold: float(_inside(((gold[0] + gold[2]) / 2, (gold[1] + gold[3]) / 2), look))
    )


def holds_gold(trajectory: Trajectory, sizes: Sizes) -> bool | None:
    """Whether every gold region is held by a look or measured in; None where there is none to look closer at."""
    gold = [(image, box) for image, box in gold_regions(trajectory) if _needs_a_look(box, sizes[image])]
    seen, measured = looks(trajectory.calls), list(_measured_at(trajectory, sizes))
    if not gold:
        return None
    return all(
        any(_holds(look, box, sizes[image]) for look in seen if look.image == image)
        or any(_inside(point, box) for source, point in measured if source == image)
        for image, box in gold
    )


def _measured_at(trajectory: Trajectory, sizes: Sizes) -> Iterator[tuple[str, tuple[float, float]]]:
    """(image id, (x, y) in its pixels) of every point of one of the task's images that something was measured at."""
    for call in trajectory.calls:
        arguments: Mapping[str, Any] = call["call"]["arguments"]
        number = arguments.get("image")
        if call["status"] != "ok" or family(call["call"]["name"]) != "measure":
            continue
        if not isinstance(number, int) or not 1 <= number <= len(trajectory.images):
            continue
        if (image := trajectory.images[number - 1]) in sizes:
            for value in arguments.values():
                for point in _points(value):
                    yield image, point_to_pixels(point, *sizes[image])


def _best(trajectory: Trajectory, score: Callable[[PixelBox, PixelBox], float]) -> float | None:
    gold, seen = gold_regions(trajectory), looks(trajectory.calls)
    if not gold or not seen:
        return None
    return mean(
        [max((score(look.box, box) for look in seen if look.image == image), default=0.0) for image, box in gold]
    )


def _points(value: object) -> Iterator[list[int]]:
    """The points in an argument: itself, or those of an outline."""
    if _is_point(value):
        yield cast("list[int]", value)
    elif isinstance(value, list):
        yield from (point for point in cast("list[list[int]]", value) if _is_point(point))


def _is_point(value: object) -> bool:
    numbers = cast("list[object]", value) if isinstance(value, list) else []
    return len(numbers) == 2 and all(isinstance(each, int) for each in numbers)


def _inside(point: tuple[float, float], box: PixelBox) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _needs_a_look(gold: PixelBox, size: tuple[int, int]) -> bool:
    return _area(gold) <= WIDEST * size[0] * size[1]


def _holds(look: Look, gold: PixelBox, size: tuple[int, int]) -> bool:
    narrow = _area(look.box) <= max(LARGEST * size[0] * size[1], 2 * _area(gold))
    return narrow and _area(_shared(look.box, gold)) >= HELD * _area(gold)


def _area(box: PixelBox) -> float:
    """In square pixels; 0 for a box that is inside out."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _shared(a: PixelBox, b: PixelBox) -> PixelBox:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
