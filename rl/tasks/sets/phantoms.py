"""The first phantoms, which the embedded base policy was taught on; rl/tasks/phantoms/ draws them."""

from collections.abc import Iterable

from rl.tasks.phantoms import tasks
from rl.tasks.phantoms.demonstrator import demonstration
from rl.tasks.registry import SPLITS, TaskRequest, task_set
from rl.tasks.task import Task


@task_set(splits=(*SPLITS, "warmup"), drawn=True, demonstrator=demonstration)
def phantoms(wanted: TaskRequest) -> Iterable[Task]:
    """Procedural chest phantoms: a thumbnail shows where a lesion is, and only a zoom what it is."""
    return tasks.phantom_tasks(wanted.store, wanted.split, wanted.count or 0, wanted.seed)
