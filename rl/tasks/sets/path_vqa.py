"""PathVQA (He et al., 2020): pathology images of textbooks, questions yes/no or open.

Layout of its authors: images/SPLIT/NAME.jpg and qas/SPLIT/SPLIT_qa.pkl, a pickled list of {image, question, answer},
of which only plain values are unpickled: a pickle can run code. Also the parquet files of its copy on the hub.
"""

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from rl.tasks.benchmarks.asked import Splits, tasks_of
from rl.tasks.benchmarks.item import OFFICIAL, Item
from rl.tasks.benchmarks.parquet import hub_rows, local_rows, parquet_files, simple_items
from rl.tasks.errors import TaskFileError
from rl.tasks.files import data_folder
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.task import Task

PUBLISHED = "https://github.com/UCSD-AI4H/PathVQA (MIT)"
HUB = "flaviagiammarino/path-vqa"
SPLITS = ("train", "val", "test")


@task_set()
def path_vqa(
    wanted: TaskRequest, *, splits: Splits = "by_image", credit: str = "exact", hub: bool = False
) -> Iterable[Task]:
    """PathVQA: pathology questions, closed and open."""
    return tasks_of("path_vqa", _items(wanted.root, hub), wanted, splits, credit)


def _items(root: Path | None, hub: bool) -> Iterator[Item]:
    if hub:
        return simple_items(hub_rows(HUB), "path_vqa")
    folder = data_folder(root, "path_vqa", ["qas", "data", "*.parquet"], PUBLISHED)
    if (folder / "qas").exists():
        return _authors_items(folder)
    return simple_items(local_rows(folder), "path_vqa") if parquet_files(folder) else iter(())


def _authors_items(folder: Path) -> Iterator[Item]:
    for split in SPLITS:
        file = folder / "qas" / split / f"{split}_qa.pkl"
        for number, row in enumerate(_unpickled(file) if file.exists() else ()):
            answer = str(row["answer"])
            yield Item(
                key=f"{split}-{number}",
                question=str(row["question"]),
                answer=answer,
                images=(folder / "images" / split / f"{row['image']}.jpg",),
                kind="closed" if answer.strip().lower() in ("yes", "no") else "open",
                official=OFFICIAL[split],
            )


class _PlainUnpickler(pickle.Unpickler):
    """Lists, dictionaries, text and numbers only."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, expected plain values only")


def _unpickled(file: Path) -> list[dict[str, Any]]:
    try:
        with file.open("rb") as content:
            return _PlainUnpickler(content).load()
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise TaskFileError(f"Got {file}, which cannot be unpickled: {error}.") from error
