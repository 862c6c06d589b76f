"""Right for the right reason: whether a right answer rests on a look that holds what the answer lies in.

A look counts if it covers most of the gold region and is a closer look: a box around the whole image would hold every
region and show nothing. A call that points (the ends of a distance) counts where it points into the region. Each gold
region must be held by one of these. Policies never see the regions.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from rl.report.looks import Look, gold_regions, looks
from rl.trajectories.record import Trajectory
from tools.geometry import PixelBox, point_to_pixels

HELD = 0.9
"""Share of a gold region's area that a look must cover."""
LARGEST = 0.25
"""Share of the image's area above which a box is no closer look, unless the gold region is itself so large."""
Sizes = Mapping[str, tuple[int, int]]
"""(width, height) in pixels by image id."""


def holds_gold(trajectory: Trajectory, sizes: Sizes) -> bool | None:
    """Whether every gold region is held by a closer look or pointed at; None for a task without gold regions."""
    gold, seen, pointed = gold_regions(trajectory), looks(trajectory), list(points(trajectory, sizes))
    if not gold:
        return None
    return all(
        any(_holds(look, box, sizes[image]) for look in seen if look.image == image)
        or any(_inside(point, box) for source, point in pointed if source == image)
        for image, box in gold
    )


def points(trajectory: Trajectory, sizes: Sizes) -> Iterator[tuple[str, tuple[float, float]]]:
    """(image id, (x, y) in its pixels) of every point that a call which ran was given in one of the task's images."""
    for call in trajectory.calls:
        arguments: Mapping[str, Any] = call["call"]["arguments"]
        number = arguments.get("image")
        if call["status"] != "ok" or not isinstance(number, int) or not 1 <= number <= len(trajectory.images):
            continue
        if (image := trajectory.images[number - 1]) in sizes:
            for value in arguments.values():
                if _is_point(value):
                    yield image, point_to_pixels(value, *sizes[image])


def _is_point(value: object) -> bool:
    numbers = cast("list[object]", value) if isinstance(value, list) else []
    return len(numbers) == 2 and all(isinstance(each, int) for each in numbers)


def _inside(point: tuple[float, float], box: PixelBox) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _holds(look: Look, gold: PixelBox, size: tuple[int, int]) -> bool:
    narrow = area(look.box) <= max(LARGEST * size[0] * size[1], 2 * area(gold))
    return narrow and area(_shared(look.box, gold)) >= HELD * area(gold)


def area(box: PixelBox) -> float:
    """In square pixels; 0 for a box that is inside out."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _shared(a: PixelBox, b: PixelBox) -> PixelBox:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
