"""MMMU (Yue et al., CVPR 2024), the discipline Health & Medicine: five subjects, college exams, up to seven images.

Layout of its authors: a folder a subject with dev-, validation- and test-*.parquet: question (with <image 1> where an
image belongs), options (a list written as text), answer, question_type, image_1 ... image_7. Answers of the test
split are withheld, so its items are left out; dev is `train` here.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from rl.tasks.benchmarks.asked import Splits, tasks_of
from rl.tasks.benchmarks.item import Item
from rl.tasks.benchmarks.parquet import Row, hub_rows, image_of, parquet_files, rows, split_in_name
from rl.tasks.errors import TaskFileError
from rl.tasks.files import data_folder
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.task import Task

PUBLISHED = "https://huggingface.co/datasets/MMMU/MMMU (Apache-2.0)"
HUB = "MMMU/MMMU"
SUBJECTS = (
    "Basic_Medical_Science",
    "Clinical_Medicine",
    "Diagnostics_and_Laboratory_Medicine",
    "Pharmacy",
    "Public_Health",
)
OFFICIAL = {"dev": "train", "validation": "validation", "test": "test"}
IMAGES = range(1, 8)
WITHHELD = "?"


@task_set()
def mmmu_medical(
    wanted: TaskRequest, *, splits: Splits = "by_image", credit: str = "exact", hub: bool = False
) -> Iterable[Task]:
    """MMMU Health & Medicine: exam questions with images, multiple choice and open."""
    return tasks_of("mmmu_medical", _items(wanted.root, hub), wanted, splits, credit)


def _items(root: Path | None, hub: bool) -> Iterator[Item]:
    folder = None if hub else data_folder(root, "mmmu_medical", SUBJECTS, PUBLISHED)
    for subject in SUBJECTS:
        for split, row in hub_rows(HUB, subject) if folder is None else _local(folder / subject):
            if str(row["answer"]) != WITHHELD:
                yield _item(subject, split, row)


def _local(folder: Path) -> Iterator[tuple[str, Row]]:
    for file in parquet_files(folder):
        for row in rows(file):
            yield split_in_name(file), row


def _item(subject: str, split: str, row: Row) -> Item:
    where = f"mmmu_medical {row.get('id')}"
    try:
        found = cast(list[object], ast.literal_eval(str(row["options"] or "[]")))
        options = tuple(str(each) for each in found)
    except (ValueError, SyntaxError) as error:
        raise TaskFileError(f"{where}: got options {row['options']!r:.80}, expected a list written as text.") from error
    held = [number for number in IMAGES if row.get(f"image_{number}") is not None]
    shown = {str(number): place for place, number in enumerate(held, 1)}
    question = re.sub(r"<image (\d)>", lambda match: f"image {shown.get(match[1], match[1])}", str(row["question"]))
    return Item(
        key=str(row["id"]),
        question=question,
        answer=str(row["answer"]),
        images=tuple(image_of(row[f"image_{number}"], where) for number in held),
        kind=subject.lower(),
        official=OFFICIAL.get(split),
        options=options,
    )
