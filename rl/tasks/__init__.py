"""Questions about images with gold answers: `rl.tasks.load_tasks(name, split, root=...)`, `python -m rl.tasks`."""

from rl.tasks.errors import MissingData, TaskFileError
from rl.tasks.loading import default_store, load_tasks
from rl.tasks.registry import TaskRequest, task_set, task_sets
from rl.tasks.task import Task

__all__ = [
    "MissingData",
    "Task",
    "TaskFileError",
    "TaskRequest",
    "default_store",
    "load_tasks",
    "task_set",
    "task_sets",
]
