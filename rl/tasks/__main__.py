"""`python -m rl.tasks list | show NAME | check NAME | leaks NAME`: which task sets there are, and how good they are.

NAME is a registered set or a folder with your own questions. `show` draws a contact sheet, `check` asks every task's
grader (rl/tasks/proof.py), `leaks` tells which images two splits share. Research use only, not a medical device.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from rl.tasks.errors import NoSuchSplit, TaskFileError
from rl.tasks.loading import DRAWN, iterate_request
from rl.tasks.proof import faults_of_splits, summary
from rl.tasks.registry import SPLITS, TaskRequest, task_sets
from rl.tasks.task import Task
from tools.discovery import EntryPointError
from tools.images.store import ImageStore

SHOWN_FAULTS = 20


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m rl.tasks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="all registered task sets")
    for name, help in (
        ("show", "draw a contact sheet"),
        ("check", "prove every task"),
        ("leaks", "images that splits share"),
    ):
        command = commands.add_parser(name, help=help)
        command.add_argument("name", metavar="NAME")
        command.add_argument("--root", type=Path, help="the folder that holds the set's files")
        command.add_argument("--count", type=int, help="at most so many tasks a split")
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of the set itself")
        if name == "show":
            command.add_argument("--split", default="test")
            command.add_argument("--out", type=Path, help="the picture's file (default: NAME.png)")
    return parser.parse_args(arguments)


def options_of(asked: argparse.Namespace) -> dict[str, Any]:
    """The set's own options, values read as YAML. Raises TaskFileError."""
    pairs = [str(each).partition("=") for each in asked.option]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise TaskFileError(f"Got the option {wrong[0]!r}, expected NAME=VALUE.")
    return {name: yaml.safe_load(value) for name, _, value in pairs}


def list_sets() -> str:
    """One line a set: name, splits, what it is."""
    found = task_sets().values()
    width = max(len(each.name) for each in found)
    lines = [f"{each.name:<{width}}  {'drawn' if each.drawn else 'files'}  {each.about}" for each in found]
    return "\n".join(lines)


def splits_of(asked: argparse.Namespace, store: ImageStore) -> dict[str, list[Task]]:
    """The tasks of every split of the set (a set without end: some of each; the official splits: those there are).

    Raises TaskFileError.
    """
    known = task_sets().get(asked.name)
    options = options_of(asked)
    found: dict[str, list[Task]] = {}
    for split in known.splits if known else SPLITS:
        wanted = TaskRequest(split, store, asked.root, asked.count, asked.seed)
        try:
            found[split] = list(iterate_request(asked.name, wanted, **options))
        except NoSuchSplit as error:
            print(error, file=sys.stderr)
    return found


def show(asked: argparse.Namespace, store: ImageStore) -> Path:
    """Draws the first tasks of a split; the picture's path. Raises TaskFileError."""
    from rl.tasks.sheet import contact_sheet

    wanted = TaskRequest(asked.split, store, asked.root, None if asked.name not in task_sets() else DRAWN, asked.seed)
    tasks = spread(list(iterate_request(asked.name, wanted, **options_of(asked))), asked.count or 12)
    if not tasks:
        raise TaskFileError(f"Got no task in the split {asked.split!r} of {asked.name}; choose another --split.")
    out = asked.out or Path(f"{Path(asked.name).name}.png")
    contact_sheet(f"{Path(asked.name).name} · {asked.split}", tasks, store).save(out)
    return out


def spread(tasks: Sequence[Task], count: int) -> list[Task]:
    """`count` of the tasks, kinds taking turns and new images first, so that a sheet shows much of a set."""
    queues: dict[str, list[Task]] = {}
    for task in tasks:
        queues.setdefault(task.kind, []).append(task)
    chosen: list[Task] = []
    seen: set[tuple[str, ...]] = set()
    while len(chosen) < count and any(queues.values()):
        for queue in filter(None, queues.values()):
            chosen.append(queue.pop(next((at for at, task in enumerate(queue) if task.images not in seen), 0)))
            seen.add(chosen[-1].images)
    return chosen[:count]


def check(asked: argparse.Namespace, store: ImageStore) -> int:
    """Proves every task of every split; 1 where one fails. Raises TaskFileError."""
    splits = splits_of(asked, store)
    for split, tasks in splits.items():
        print(f"{split}: {len(tasks)} tasks on {len({i for task in tasks for i in task.images})} images", end="")
        print(f" ({summary(tasks)})" if tasks else "")
    faults = faults_of_splits(splits, store)
    for fault in faults[:SHOWN_FAULTS]:
        print(fault, file=sys.stderr)
    print(f"{len(faults)} faults" if faults else "every gold answer is right, every wrong or empty one is not")
    return int(bool(faults))


def show_leaks(asked: argparse.Namespace, store: ImageStore) -> int:
    """Prints which images the splits share; 1 where some are shared exactly. Raises TaskFileError."""
    from rl.tasks.leaks import leaks, report

    splits = splits_of(asked, store)
    found = leaks(splits, store)
    print(report(splits, found))
    return int(any(leak.exact for leak in found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; 0 well, 1 faults found, 2 the set could not be loaded."""
    asked = parse(sys.argv[1:] if arguments is None else arguments)
    with tempfile.TemporaryDirectory(prefix="medvista-tasks-") as folder:
        store = ImageStore(folder)
        try:
            if asked.command == "list":
                print(list_sets())
                return 0
            if asked.command in ("check", "leaks"):
                return {"check": check, "leaks": show_leaks}[asked.command](asked, store)
            print(show(asked, store))
            return 0
        except (TaskFileError, EntryPointError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
