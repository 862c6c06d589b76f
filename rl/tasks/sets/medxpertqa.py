"""MedXpertQA, the multimodal part (Zuo et al., ICML 2025): expert-level cases with one or several images, five
options.

Layout of its authors: MM/dev.jsonl and MM/test.jsonl with id, question (its options repeated behind "Answer
Choices:"), options ({letter: text}, or a list of {letter, content}), label, images, question_type; the images in
images/.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from rl.tasks.benchmarks.asked import Splits, tasks_of
from rl.tasks.benchmarks.item import Item
from rl.tasks.errors import TaskFileError
from rl.tasks.files import data_folder
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.task import Task

PUBLISHED = "https://huggingface.co/datasets/TsinghuaC3I/MedXpertQA (MIT)"
FILES = {"dev.jsonl": "validation", "test.jsonl": "test"}


@task_set()
def medxpertqa(wanted: TaskRequest, *, splits: Splits = "by_image") -> Iterable[Task]:
    """MedXpertQA MM: expert cases with images, multiple choice."""
    folder = data_folder(wanted.root, "medxpertqa", ["MM", *FILES], PUBLISHED)
    return tasks_of("medxpertqa", _items(folder), wanted, splits)


def _items(folder: Path) -> Iterator[Item]:
    questions = folder / "MM" if (folder / "MM").exists() else folder
    for name, split in FILES.items():
        file = questions / name
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines() if file.exists() else (), 1):
            if line.strip():
                yield _item(folder, split, f"{file}, line {number}", line)


def _item(folder: Path, split: str, where: str, line: str) -> Item:
    try:
        row = json.loads(line)
        options = _texts(row["options"])
        return Item(
            key=str(row["id"]),
            question=str(row["question"]).partition("\nAnswer Choices:")[0],
            answer=str(row["label"]),
            images=tuple(folder / "images" / str(name) for name in row["images"]),
            kind=str(row["question_type"]),
            official=split,
            options=options,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise TaskFileError(f"{where}: got a line that cannot be read ({type(error).__name__}: {error}).") from error


def _texts(options: Any) -> tuple[str, ...]:
    if isinstance(options, list):
        options = {each["letter"]: each["content"] for each in cast(list[dict[str, str]], options)}
    return tuple(text for _, text in sorted(cast(dict[str, str], options).items()))
