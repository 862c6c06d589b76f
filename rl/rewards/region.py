"""region: how well what was looked at meets where the answer lies, for tasks whose gold regions are known.

The IoU of the union of all looks with the union of the gold regions: looking everywhere is looking nowhere, and a
second look that misses costs. Gated on the right answer, like all that pays for looking. A look is a region of a call
that ran, by a tool that shows (families `look` and `volume`): boxes that a policy draws itself are no looks. 0
without gold regions.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from agent.turn import EpisodeState
from rl.rewards.answer import answer
from rl.rewards.registry import component
from rl.tasks.task import Task
from tools.geometry import PixelBox
from tools.registry import family_of, load_tools

SHOWING = ("look", "volume")


@component
def region(task: Task, state: EpisodeState) -> float:
    """0 to 1, over the task's images together; boxes in the pixels of the original images."""
    if not task.regions or answer(task, state) < 1.0:
        return 0.0
    gold: dict[str, list[PixelBox]] = {}
    for number, box in task.regions:
        gold.setdefault(task.images[number - 1], []).append(box)
    seen = looked_at(state)
    shared = total = 0.0
    for image in {*gold, *seen}:
        both, either = overlap_and_union(seen.get(image, ()), gold.get(image, ()))
        shared, total = shared + both, total + either
    return shared / total if total else 0.0


def looked_at(state: EpisodeState) -> dict[str, list[PixelBox]]:
    """The boxes that an episode looked at, by original image."""
    found: dict[str, list[PixelBox]] = {}
    for call in state.get("calls", []):
        if call["status"] == "ok" and _family(call["call"]["name"]) in SHOWING:
            for each in call.get("regions", []):
                x1, y1, x2, y2 = (float(value) for value in each["box"])
                found.setdefault(each["image"], []).append((x1, y1, x2, y2))
    return found


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


@cache
def _family(tool: str) -> str:
    try:
        return family_of(load_tools([tool])[0])
    except ValueError:
        return "other"
