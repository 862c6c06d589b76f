"""region: how well what was looked at meets where the answer lies, for tasks whose gold regions are known.

The IoU of the union of all looks with the union of the gold regions: looking everywhere is looking nowhere, and a
second look that misses costs. Gated on the right answer, like all that pays for looking. rl/trajectories/looks.py says
what a look is. 0 without gold regions.
"""

from rl.rewards.answer import answer
from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode
from rl.trajectories.looks import looked_at, overlap_and_union
from tools.geometry import PixelBox


@component
def region(task: Task, state: FinishedEpisode) -> float:
    """0 to 1, over the task's images together; boxes in the pixels of the original images."""
    if not task.regions or answer(task, state) < 1.0:
        return 0.0
    gold: dict[str, list[PixelBox]] = {}
    for number, box in task.regions:
        gold.setdefault(task.images[number - 1], []).append(box)
    seen = looked_at(state.get("calls", []))
    shared = total = 0.0
    for image in {*gold, *seen}:
        both, either = overlap_and_union(seen.get(image, ()), gold.get(image, ()))
        shared, total = shared + both, total + either
    return shared / total if total else 0.0
