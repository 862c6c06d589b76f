"""The task sets, one a file; rl/tasks/registry.py says what a file must hold."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rl.tasks.task import Task
from tools.images.store import ImageStore


def iterate_tasks(name: str, store: ImageStore, split: str, count: int, seed: int, **options: Any) -> Iterator[Task]:
    """At most `count` tasks of a split; `seed` is for the sets that are drawn, `options` for the set (and `root`).

    Raises TaskFileError.
    """
    from rl.tasks.loading import iterate_request
    from rl.tasks.registry import TaskRequest

    root = options.pop("root", None)
    return iterate_request(name, TaskRequest(split, store, Path(root) if root else None, count, seed), **options)
