"""What a look is: the one rule by which rewards, the report and the evaluation tell that an episode saw more.

A look is a box of an original image, in its pixels, that a call brought before the policy's eyes: the call ran, its
tool is one that shows (families `look` and `volume`), and it returned a view. Three things are none, whatever regions
a call tells of: a box that a policy drew or measured in (the picture stays as it was), a box too small to show
anything, and the whole image once more, be it in one view, in tiles or beside itself.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tools.geometry import PixelBox
from tools.registry import family_of, load_tools

SHOWING = ("look", "volume")
"""Families of tools whose views show a part of an image that was not to be seen before."""
BESIDE = ("draw", "read")
"""Families that say nothing of what an image shows: marks on it, and facts about it."""
LEAST_SIDE = 8
"""Pixels: half a patch of the usual image processors (14 or 16). What is smaller is less than one token sees."""
WIDEST = 0.5
"""Share of an image's area that a call may show of it: so it is seen at least 1.4 times as large each way."""


class Look(NamedTuple):
    """One box that a call showed."""

    image: str
    """Id of the original image."""
    box: PixelBox
    """In that image's pixels."""
    call: int
    """Index of the call in the episode."""


def looks(calls: Sequence[Mapping[str, Any]]) -> list[Look]:
    """Every look of an episode's calls (ToolResults as JSON), in order."""
    return [look for index, call in enumerate(calls) for look in _shown(call, index)]


def looked_at(calls: Sequence[Mapping[str, Any]]) -> dict[str, list[PixelBox]]:
    """The boxes of an episode's looks by original image."""
    found: dict[str, list[PixelBox]] = defaultdict(list)
    for look in looks(calls):
        found[look.image].append(look.box)
    return dict(found)


def found_something(calls: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some call could have told what the image alone did not: a look, or what another tool measured, found or
    made visible. Marks of the policy's own and facts about a file tell nothing; text that was read in the pixels does.
    """
    return bool(looks(calls)) or any(_tells(call) for call in calls if call["status"] == "ok")


def overlap_and_union(first: Sequence[PixelBox], second: Sequence[PixelBox]) -> tuple[float, float]:
    """Areas, in square pixels, of what two sets of boxes share and of what either covers."""
    boxes = [*first, *second]
    across = np.unique([value for box in boxes for value in (box[0], box[2])])
    down = np.unique([value for box in boxes for value in (box[1], box[3])])
    if len(across) < 2 or len(down) < 2:
        return 0.0, 0.0
    areas = np.outer(np.diff(down), np.diff(across))
    covered = [np.zeros(areas.shape, bool), np.zeros(areas.shape, bool)]
    for mask, side in zip(covered, (first, second), strict=True):
        for x1, y1, x2, y2 in side:
            rows, columns = (down[:-1] >= y1) & (down[1:] <= y2), (across[:-1] >= x1) & (across[1:] <= x2)
            mask |= np.outer(rows, columns)
    return float(areas[covered[0] & covered[1]].sum()), float(areas[covered[0] | covered[1]].sum())


def _shown(call: Mapping[str, Any], index: int) -> list[Look]:
    tool = family(call["call"]["name"])
    measured = call.get("measurements")  # a volume that was measured in a box is shown with that box drawn in it
    if call["status"] != "ok" or tool not in SHOWING or measured or not call.get("images"):
        return []
    found: dict[str, list[PixelBox]] = defaultdict(list)
    sizes: dict[str, tuple[int, int] | None] = {}
    for region in call.get("regions", ()):
        x1, y1, x2, y2 = (float(value) for value in region["box"])
        found[region["image"]].append((x1, y1, x2, y2))
        sizes[region["image"]] = region.get("image_size")
    return [
        Look(image, box, index)
        for image, boxes in found.items()
        if tool == "volume" or not _is_whole(boxes, sizes[image])  # a slice is new even where it is shown whole
        for box in boxes
        if min(box[2] - box[0], box[3] - box[1]) >= LEAST_SIDE
    ]


def _is_whole(boxes: Sequence[PixelBox], size: tuple[int, int] | None) -> bool:
    """Whether boxes of one call show more of an image than a closer look can; False where its size is not known."""
    return size is not None and overlap_and_union(boxes, ())[1] > WIDEST * size[0] * size[1]


def _tells(call: Mapping[str, Any]) -> bool:
    tool = family(call["call"]["name"])
    if tool == "read":
        return bool(call.get("regions"))
    return bool(call.get("measurements")) if tool in SHOWING else tool not in BESIDE


@cache
def family(tool: str) -> str:
    """The family of a tool by its name; "other" for one that is not known here."""
    try:
        return family_of(load_tools([tool])[0])
    except ValueError:
        return "other"
