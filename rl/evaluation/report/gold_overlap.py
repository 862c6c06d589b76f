"""How well what an episode looked at met where the answer lies; rl/trajectories/looks.py says what a look is.

Gold regions are the task's; no policy sees them. For every gold region the best of the looks counts, so that a look
elsewhere costs nothing here: what it costs is tokens.
"""

from collections.abc import Callable

from rl.evaluation.statistics import mean
from rl.tasks.task import Task
from rl.trajectories.looks import looks
from rl.trajectories.record import Trajectory
from tools.geometry import PixelBox, intersection_over_union


def gold_regions(trajectory: Trajectory) -> list[tuple[str, PixelBox]]:
    """(image id, box in its pixels) of what the task's answer lies in."""
    task = Task.from_plain(trajectory.task)
    return [(task.images[number - 1], box) for number, box in task.regions]


def overlap(trajectory: Trajectory) -> float | None:
    """Mean over the gold regions of the best IoU that a look reached, 0 to 1; None without gold regions or looks."""
    return _best(trajectory, intersection_over_union)


def centre_hits(trajectory: Trajectory) -> float | None:
    """Share of the gold regions whose centre lies within a look; None without gold regions or looks."""
    return _best(trajectory, _holds_centre)


def _best(trajectory: Trajectory, score: Callable[[PixelBox, PixelBox], float]) -> float | None:
    gold, seen = gold_regions(trajectory), looks(trajectory.calls)
    if not gold or not seen:
        return None
    return mean(
        [max((score(look.box, box) for look in seen if look.image == image), default=0.0) for image, box in gold]
    )


def _holds_centre(look: PixelBox, gold: PixelBox) -> float:
    x, y = (gold[0] + gold[2]) / 2, (gold[1] + gold[3]) / 2
    return float(look[0] <= x <= look[2] and look[1] <= y <= look[3])
