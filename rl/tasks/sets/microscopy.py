"""Real microscopy: the questions of `blood_cells` and `nuclei` together, in an order that mixes them.

Each image stays in the split that its own set gives it. Root is the folder that holds both sets' folders.
"""

from collections.abc import Iterable
from itertools import chain

from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.sets.blood_cells import blood_cells
from rl.tasks.sets.nuclei import nuclei
from rl.tasks.splits import share_of
from rl.tasks.task import Task


@task_set()
def microscopy(wanted: TaskRequest) -> Iterable[Task]:
    """Real microscopy: `blood_cells` and `nuclei` together, mixed."""
    return sorted(chain(blood_cells(wanted), nuclei(wanted)), key=lambda task: share_of(task.id, "microscopy"))
