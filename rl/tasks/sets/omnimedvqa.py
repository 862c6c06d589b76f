"""OmniMedVQA (Hu et al., CVPR 2024): 73 classification datasets as multiple choice, of which 42 are open access.

Layout of its authors: QA_information/Open-access/*.json (and Restricted-access), lists of {question_id,
question_type, question, option_A ... option_D, gt_answer, image_path, modality_type}, with image_path relative to the
top folder. It has no official splits.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl.tasks.benchmarks.asked import Splits, tasks_of
from rl.tasks.benchmarks.item import Item
from rl.tasks.files import data_folder, read_json
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.task import Task

PUBLISHED = "https://huggingface.co/datasets/foreverbeliever/OmniMedVQA (the parts' own licences)"
OPTIONS = ("option_A", "option_B", "option_C", "option_D")


@task_set()
def omnimedvqa(
    wanted: TaskRequest, *, splits: Splits = "by_image", restricted: bool = False, modality: str | None = None
) -> Iterable[Task]:
    """OmniMedVQA: many modalities, multiple choice; the open-access part unless told otherwise."""
    folder = data_folder(wanted.root, "omnimedvqa", ["QA_information"], PUBLISHED)
    return tasks_of("omnimedvqa", _items(folder, restricted, modality), wanted, splits)


def _items(folder: Path, restricted: bool, modality: str | None) -> Iterator[Item]:
    for part in ("Open-access", "Restricted-access") if restricted else ("Open-access",):
        for file in sorted((folder / "QA_information" / part).glob("*.json")):
            for row in read_json(file):
                if modality is None or row.get("modality_type", row.get("modality")) == modality:
                    yield Item(
                        key=str(row["question_id"]),
                        question=str(row["question"]),
                        answer=str(row["gt_answer"]),
                        images=(folder / str(row["image_path"]),),
                        kind=str(row["question_type"]),
                        options=tuple(str(row[each]).strip() for each in OPTIONS if row.get(each)),
                    )
