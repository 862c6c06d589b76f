"""new_task_set proves itself: gold is right, wrong is not, and no image is in two splits."""

from pathlib import Path

from rl.tasks import load_tasks, task_sets
from rl.tasks.proof import faults_of_splits
from tools.images.store import ImageStore

NAME = "new_task_set"


def test_gold_is_right_and_nothing_else(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    splits = {split: load_tasks(NAME, split, store=store, count=8) for split in task_sets()[NAME].splits}
    assert faults_of_splits(splits, store) == []
    assert load_tasks(NAME, "test", store=store, count=3) == splits["test"][:3]  # the same for the same seed
    assert {task.answer for tasks in splits.values() for task in tasks} == {"left", "right"}
