"""SLAKE (Liu et al., ISBI 2021): 642 radiology images, bilingual questions, organs and lesions boxed.

Layout of its authors: train.json, validate.json, test.json, and imgs/xmlabN/ with source.jpg and detection.json (a
list of {name: [x, y, width, height]}). What a question or its answer names and is boxed becomes a gold region.
English by default.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rl.tasks.benchmarks.asked import Splits, tasks_of
from rl.tasks.benchmarks.item import OFFICIAL, Item
from rl.tasks.files import data_folder, read_json
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.task import Task
from tools.geometry import PixelBox

PUBLISHED = "https://www.med-vqa.com/slake (CC BY 4.0; the hub has it as BoKelvin/SLAKE)"
FILES = ("train.json", "validate.json", "test.json")


@task_set()
def slake(
    wanted: TaskRequest, *, splits: Splits = "by_image", credit: str = "exact", language: str = "en"
) -> Iterable[Task]:
    """SLAKE: radiology questions, closed and open, with boxed organs and lesions."""
    folder = data_folder(wanted.root, "slake", FILES, PUBLISHED)
    return tasks_of("slake", _items(folder, language), wanted, splits, credit)


def _items(folder: Path, language: str) -> Iterator[Item]:
    for file in FILES:
        split = OFFICIAL[file.removesuffix(".json")]
        for row in read_json(folder / file) if (folder / file).exists() else ():
            if row["q_lang"] == language:
                image = folder / "imgs" / str(row["img_name"])
                yield Item(
                    key=f"{split}-{row['qid']}",
                    question=str(row["question"]),
                    answer=str(row["answer"]),
                    images=(image,),
                    kind=str(row["answer_type"]).strip().lower(),
                    official=split,
                    regions=_named(image.parent / "detection.json", f"{row['question']} {row['answer']}"),
                )


def _named(detections: Path, text: str) -> tuple[tuple[int, PixelBox], ...]:
    """The boxes, in pixels, of what is boxed in the image and named in the text."""
    found: list[tuple[int, PixelBox]] = []
    for entry in read_json(detections) if detections.exists() else ():
        for name, corner in dict[str, Any](entry).items():
            if re.search(rf"\b{re.escape(name)}s?\b", text, re.IGNORECASE):
                x, y, width, height = (float(each) for each in corner)
                found.append((1, (x, y, x + width, y + height)))
    return tuple(found)
