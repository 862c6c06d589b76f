"""PMC-VQA (Zhang et al., 2023): figures of PubMed Central, four options each.

Layout of its authors: train.csv and test.csv (or test_clean.csv, the part that was checked by hand) with the columns
Figure_path, Question, Choice A to Choice D, Answer_label; version 2 is train_2.csv and test_2.csv with the letter in
Answer. Figures lie in images/, figures/ or images_2/.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from rl.tasks.benchmarks.asked import Splits, tasks_of
from rl.tasks.benchmarks.item import Item
from rl.tasks.errors import TaskFileError
from rl.tasks.files import data_folder
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.task import Task

PUBLISHED = "https://huggingface.co/datasets/RadGenome/PMC-VQA (CC BY-SA)"
FILES = {
    "1": {"train": ("train.csv",), "test": ("test_clean.csv", "test.csv")},
    "2": {"train": ("train_2.csv",), "test": ("test_2.csv",)},
}
FIGURES = ("images", "figures", "images_2", ".")
CHOICES = ("Choice A", "Choice B", "Choice C", "Choice D")
_PREFIX = re.compile(r"^\s*[A-D]\s*[:.]\s*")


@task_set()
def pmc_vqa(wanted: TaskRequest, *, splits: Splits = "by_image", version: Literal["1", "2"] = "1") -> Iterable[Task]:
    """PMC-VQA: figures of medical papers, multiple choice."""
    if str(version) not in FILES:
        raise TaskFileError(f"Got version {version!r} of pmc_vqa, expected 1 or 2.")
    files = FILES[str(version)]
    folder = data_folder(wanted.root, "pmc_vqa", [name for names in files.values() for name in names], PUBLISHED)
    return tasks_of("pmc_vqa", _items(folder, files), wanted, splits)


def _items(folder: Path, files: dict[str, tuple[str, ...]]) -> Iterator[Item]:
    for split, names in files.items():
        for name in [name for name in names if (folder / name).exists()][:1]:
            with (folder / name).open(encoding="utf-8", newline="") as lines:
                for number, row in enumerate(csv.DictReader(lines)):
                    yield _item(folder, split, f"{name}, line {number + 2}", number, row)


def _item(folder: Path, split: str, where: str, number: int, row: dict[str, str]) -> Item:
    try:
        options = tuple(_PREFIX.sub("", row[choice]).strip() for choice in CHOICES)
        label = (row.get("Answer_label") or row["Answer"]).strip()
        question, figure = row["Question"], row["Figure_path"]
    except KeyError as error:
        raise TaskFileError(f"{where}: got no column {error}, expected those of PMC-VQA's CSV files.") from error
    places = (folder / inside / figure for inside in FIGURES)
    image = next((place for place in places if place.exists()), folder / FIGURES[0] / figure)
    return Item(f"{split}-{number}", question, _PREFIX.sub("", label) or label, (image,), "choice", split, options)
