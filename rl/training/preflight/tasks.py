"""Whether the tasks of every split can be used: lines read, images loaded, gold answers taken by their graders.

Sets that are drawn are right by construction, and a few of each split show it; of all others every task that the run
will ask is looked at. A split that the run has kept already was looked at then.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from graphs.app import error_summary
from rl.config import Config
from rl.tasks import folder
from rl.tasks.errors import TaskFileError
from rl.tasks.loading import is_folder
from rl.tasks.registry import SPLITS, task_sets
from rl.tasks.sets import iterate_tasks
from rl.tasks.task import Task
from rl.training import run_tasks
from rl.training.preflight.finding import Finding
from rl.training.preflight.images import InspectingStore

FEW = 4
"""Tasks of each split of a set that is drawn."""
MOST = 10
"""Faults of one split that are told."""

Splits = dict[str, list[Task]]


def tasks(config: Config, run: Path, store: InspectingStore) -> tuple[Splits, list[Finding]]:
    """The tasks that were looked at, by split, and what is wrong with the others."""
    found: Splits = {}
    faults: list[Finding] = []
    for split in SPLITS:
        if not is_drawn(config) and run_tasks.read(run, split) is not None:
            continue
        usable: list[Task] = []
        wrong: list[str] = []
        for each in _looked_at(config, split, store):
            usable.append(each) if isinstance(each, Task) else wrong.append(str(each))
        found[split] = usable
        faults += [Finding("tasks", said) for said in wrong[:MOST]]
        if len(wrong) > MOST:
            faults.append(Finding("tasks", f"Got {len(wrong) - MOST} more such lines of {split}."))
        if not wrong and not usable and split != "validation":
            asked = f"Got no question to {'train' if split == 'train' else 'measure'} on, expected at least one"
            faults.append(Finding(f"tasks.{split}", f"{asked}: {config.tasks.set} has none, or tasks.{split} is 0."))
    return found, faults


def is_drawn(config: Config) -> bool:
    """Whether the run's tasks are made by code."""
    known = task_sets().get(config.tasks.set)
    return known is not None and known.drawn


def _count(config: Config, split: str) -> int:
    """How many tasks of a split a run may ask, its warm-up included."""
    count = run_tasks.task_count(config, split)
    if is_drawn(config):
        return min(FEW, count)
    demonstrated = split == "train" and config.warmup.enabled and config.warmup.tasks == "own"
    return max(count, config.tasks.train) if demonstrated else count


def _looked_at(config: Config, split: str, store: InspectingStore) -> Iterator[Task | TaskFileError]:
    count = _count(config, split)
    name, seed = config.tasks.set, run_tasks.seed_of(config, split)
    if is_folder(name):
        lines: Iterator[Task | TaskFileError] = folder.checked(Path(name), store, split, count)
    else:
        lines = iterate_tasks(name, store, split, count, seed, **dict(config.tasks.options))
    bar = tqdm(lines, desc=f"check {split} tasks", unit="task", delay=1.0, leave=False)
    try:
        yield from islice(bar, count)
    except TaskFileError as error:
        yield error
    except Exception as error:  # a set of somebody's own, whose bug is theirs
        yield TaskFileError(
            f"Got the task set {name!r}, which raises {error_summary.summary_of(error)}. Mend it there."
        )
