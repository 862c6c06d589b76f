"""The proof finds what is wrong with a task: each kind of fault, and none in a sound one."""

from dataclasses import replace
from typing import Any

import pytest

from rl.tasks.proof import faults_of, faults_of_splits
from rl.tasks.task import Task
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

SOUND = Task("t/1", "name", "Which side?", (), "left", "closed", rules={"options": ["left", "right"]})


@pytest.fixture
def task(store: ImageStore, scan: MedicalImage) -> Task:
    return replace(SOUND, images=(store.put(scan),), regions=((1, (1.0, 2.0, 500.0, 512.0)),))


def test_a_sound_task_has_no_fault(task: Task, store: ImageStore) -> None:
    assert faults_of(task, store) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": "both"}, "cannot use it"),
        ({"grader": "clairvoyant"}, "cannot use it"),
        ({"rules": {"colour": 1}}, "cannot use it"),
        ({"question": " "}, "empty question"),
        ({"images": ()}, "got no image"),
        ({"images": ("0" * 64,)}, "does not hold"),
        ({"regions": ((2, (0.0, 0.0, 5.0, 5.0)),)}, "region of image 2, expected 1 to 1"),
        ({"regions": ((1, (0.0, 0.0, 513.0, 5.0)),)}, "expected a box inside"),
        ({"regions": ((1, (5.0, 0.0, 5.0, 5.0)),)}, "expected a box inside"),
    ],
)
def test_faults_are_named(task: Task, store: ImageStore, change: dict[str, Any], said: str) -> None:
    assert said in " ".join(faults_of(replace(task, **change), store))


def test_an_image_in_two_splits_and_an_id_that_occurs_twice_are_faults(task: Task, store: ImageStore) -> None:
    other = replace(task, id="t/2")
    assert faults_of_splits({"train": [task], "test": []}, store) == []
    assert "is in train and in test" in faults_of_splits({"train": [task], "test": [other]}, store)[0]
    assert "2 tasks have this id" in faults_of_splits({"train": [task, task]}, store)[0]
