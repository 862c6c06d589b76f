"""The tasks of a run: how many of each split are asked, drawn once into its folder, and read from there ever after.

Preflight draws them to see that each can be used; what it has drawn is kept, so that no image is read twice.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rl.config import Config
from rl.tasks.sets import iterate_tasks
from rl.tasks.task import Task
from tools.images.store import ImageStore
from tools.private_files import write_whole

HELD_OUT_SEED = 0
"""Validation and test tasks are the same for every run; a run's seed varies what it learns from."""


def task_count(config: Config, split: str) -> int:
    """How many tasks of a split a run asks; of train no more than its steps take."""
    count = int(config.tasks.model_dump()[split])
    return min(count, config.rl.steps * config.rl.prompts_per_step) if split == "train" else count


def seed_of(config: Config, split: str) -> int:
    """What a split that is drawn is drawn with."""
    return config.seed if split == "train" else HELD_OUT_SEED


def draw(config: Config, store: ImageStore, split: str) -> Iterator[Task]:
    """The tasks of a split, their images put into `store`. Raises TaskFileError."""
    return iterate_tasks(
        config.tasks.set, store, split, task_count(config, split), seed_of(config, split), **dict(config.tasks.options)
    )


def path_of(run: Path, split: str) -> Path:
    """Where a run keeps the tasks of a split."""
    return run / "tasks" / f"{split}.jsonl"


def write(run: Path, split: str, tasks: Sequence[Task]) -> None:
    """Writes the tasks of a split, whole or not at all."""
    write_whole(path_of(run, split), "\n".join(json.dumps(task.to_plain()) for task in tasks).encode())


def read(run: Path, split: str) -> list[Task] | None:
    """The tasks of a split as the run has kept them; None where it has not yet."""
    path = path_of(run, split)
    if not path.exists():
        return None
    return [Task.from_plain(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
