"""VQA-RAD (Lau et al., Scientific Data 2018): 315 radiology images, questions by clinicians, answers yes/no or open.

Layout of its authors: one JSON list beside a folder of images; `phrase_type` test_freeform and test_para is their
test split, which shares nearly all its images with the rest. Also the parquet files of its copy on the hub.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl.tasks.benchmarks.asked import Splits, tasks_of
from rl.tasks.benchmarks.item import Item
from rl.tasks.benchmarks.parquet import hub_rows, local_rows, parquet_files, simple_items
from rl.tasks.files import data_folder, read_json
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.task import Task

PUBLISHED = "https://osf.io/89kps (CC0)"
HUB = "flaviagiammarino/vqa-rad"
FILES = {"VQA_RAD Dataset Public.json": "VQA_RAD Image Folder", "VQA_RAD.json": "images"}
"""The questions' file, and the folder of images beside it."""


@task_set()
def vqa_rad(
    wanted: TaskRequest, *, splits: Splits = "by_image", credit: str = "exact", hub: bool = False
) -> Iterable[Task]:
    """VQA-RAD: radiology questions, closed and open."""
    return tasks_of("vqa_rad", _items(wanted.root, hub), wanted, splits, credit)


def _items(root: Path | None, hub: bool) -> Iterator[Item]:
    if hub:
        return simple_items(hub_rows(HUB), "vqa_rad")
    folder = data_folder(root, "vqa_rad", [*FILES, "data", "*.parquet"], PUBLISHED)
    for questions, images in FILES.items():
        if (folder / questions).exists():
            return _authors_items(folder / questions, folder / images)
    return simple_items(local_rows(folder), "vqa_rad") if parquet_files(folder) else iter(())


def _authors_items(questions: Path, images: Path) -> Iterator[Item]:
    for row in read_json(questions):
        test = str(row["phrase_type"]).startswith("test")
        yield Item(
            key=str(row["qid"]),
            question=str(row["question"]),
            answer=str(row["answer"]),
            images=(images / str(row["image_name"]),),
            kind=str(row["answer_type"]).strip().lower(),
            official="test" if test else "train",
        )
