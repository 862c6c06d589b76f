"""Questions about images with their gold answers: `rl.tasks.load(name, split, root=...)`, `python -m rl.tasks`."""

from rl.tasks.errors import MissingData, TaskFileError
from rl.tasks.loading import default_store, load
from rl.tasks.registry import Wanted, task_set, task_sets
from rl.tasks.task import Task

__all__ = ["MissingData", "Task", "TaskFileError", "Wanted", "default_store", "load", "task_set", "task_sets"]
