"""What a task set is, and which there are.

A set is one function in one file of rl/tasks/sets/ (or of a package of yours, named by an entry point of the group
`medvista.tasks`), registered by `@task_set` under its own name. It is asked for a split and yields tasks, whose
images it puts into the store it is given. Its keyword-only parameters are its options.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np

from agent.policies.scripted import Script
from rl.tasks.errors import TaskFileError
from rl.tasks.task import Task
from tools.discovery import check_free, import_all
from tools.images.store import ImageStore
from tools.spelling import did_you_mean

ENTRY_POINT_GROUP = "medvista.tasks"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class TaskRequest:
    """What of a set is asked for."""

    split: str
    store: ImageStore
    """Where the images of the tasks go."""
    root: Path | None = None
    """The folder that holds the set's data; None for sets that are drawn, or to look where `data_folder` says."""
    count: int | None = None
    """At most so many tasks; None for all. A set that is drawn has no end: it needs one."""
    seed: int = 0
    """For what is drawn or chosen at random."""


Make = Callable[..., Iterable[Task]]
"""(TaskRequest, **options) -> the tasks of its split, in an order that does not depend on `count`."""


Demonstrator = Callable[[Task, bool, np.random.Generator], Script]
"""(task, whether it looks, random stream) -> the turns of an episode that warm-up may learn from."""


@dataclass(frozen=True)
class TaskSet:
    """One registered set."""

    name: str
    make: Make
    splits: tuple[str, ...]
    drawn: bool
    """Made by code, without end and without files."""
    demonstrator: Demonstrator | None = None
    """Who shows how to act on its split `warmup`, where it has one."""

    @property
    def about(self) -> str:
        """The first line of what its function says of itself."""
        return (self.make.__doc__ or "").strip().partition("\n")[0]

    @property
    def options(self) -> Mapping[str, Any]:
        """Its options with their defaults."""
        found = signature(self.make).parameters.values()
        return {each.name: each.default for each in found if each.kind is Parameter.KEYWORD_ONLY}


_sets: dict[str, TaskSet] = {}


def task_set(
    splits: tuple[str, ...] = SPLITS, drawn: bool = False, demonstrator: Demonstrator | None = None
) -> Callable[[Make], Make]:
    """Registers the decorated function as the task set of its own name."""

    def register(make: Make) -> Make:
        name = getattr(make, "__name__", "")
        before = _sets.get(name)
        check_free("task set", name, make, before and before.make)
        _sets[name] = TaskSet(name, make, splits, drawn, demonstrator)
        return make

    return register


def task_sets() -> Mapping[str, TaskSet]:
    """All registered sets by name."""
    import_all("rl.tasks.sets", ENTRY_POINT_GROUP, "task_set")
    return dict(sorted(_sets.items()))


def find(name: str) -> TaskSet:
    """The set of that name. Raises TaskFileError that names those there are."""
    known = task_sets()
    if name not in known:
        raise TaskFileError(
            f"Got the task set {name!r}, expected one of {', '.join(known)}, or a folder with train.jsonl, "
            f"validation.jsonl and test.jsonl (rl/tasks/folder.py).{did_you_mean(name, known)}"
        )
    return known[name]
