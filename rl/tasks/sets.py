"""Task sets by name: `phantoms`, or a folder with your own questions."""

from collections.abc import Iterator
from pathlib import Path

from rl.tasks import folder
from rl.tasks.phantoms import tasks as phantoms
from rl.tasks.task import Task
from tools.images.store import ImageStore


def load(name: str, store: ImageStore, split: str, count: int, seed: int) -> Iterator[Task]:
    """At most `count` tasks of a split; `seed` is for the sets that are drawn. Raises folder.TaskFileError."""
    if name == "phantoms":
        return phantoms.load(store, split, count, seed)
    return folder.load(Path(name), store, split, count)
