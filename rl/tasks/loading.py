"""Tasks by the name of their set, or from a folder with your own questions."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rl.tasks import folder
from rl.tasks.errors import TaskFileError
from rl.tasks.registry import TaskRequest, find, task_sets
from rl.tasks.task import Task
from tools.images.store import ImageStore

DRAWN = 100
"""Tasks of a set without end that nobody said how many of to draw."""


def default_store() -> ImageStore:
    """Where images go if no store is given: MEDVISTA_CACHE, or a folder in the user's cache."""
    cache = Path(os.environ.get("MEDVISTA_CACHE", "~/.cache/medvista")).expanduser()
    return ImageStore(cache / "images")


def is_folder(name: str) -> bool:
    """Whether a name means a folder with questions of one's own, not a registered set."""
    return name not in task_sets() and (Path(name).is_dir() or os.sep in name)


def iterate_request(name: str, wanted: TaskRequest, **options: Any) -> Iterator[Task]:
    """The tasks that are wanted, one by one. Raises TaskFileError (MissingData where files are not there)."""
    if is_folder(name):
        count = wanted.count if wanted.count is not None else 2**62
        yield from folder.load_folder(Path(name), wanted.store, wanted.split, count)
        return
    chosen = find(name)
    if wanted.split not in chosen.splits:
        raise TaskFileError(f"Got the split {wanted.split!r} of {name}, expected one of {', '.join(chosen.splits)}.")
    if unknown := sorted(set(options) - set(chosen.options)):
        raise TaskFileError(f"Got the options {unknown} for {name}, expected some of {sorted(chosen.options)}.")
    count = DRAWN if chosen.drawn and wanted.count is None else wanted.count
    limited = TaskRequest(wanted.split, wanted.store, wanted.root, count, wanted.seed)
    yield from itertools.islice(chosen.make(limited, **options), count)


def load_tasks(
    name: str,
    split: str,
    root: str | os.PathLike[str] | None = None,
    *,
    store: ImageStore | None = None,
    count: int | None = None,
    seed: int = 0,
    **options: Any,
) -> list[Task]:
    """The tasks of a split of a set (`python -m rl.tasks list` names them), or of a folder of your own.

    `root` is the folder with the set's files; images go into `store` (default_store without one); `options` are the
    set's own. Raises TaskFileError, MissingData where files are not there.
    """
    wanted = TaskRequest(split, store or default_store(), Path(root) if root is not None else None, count, seed)
    return list(iterate_request(name, wanted, **options))
