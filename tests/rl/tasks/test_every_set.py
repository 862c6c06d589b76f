"""Every registered task set proves itself: those that are drawn, and those whose files are here or can be made."""

from pathlib import Path

import pytest

from rl.tasks.loading import load_tasks
from rl.tasks.proof import faults_of_splits
from rl.tasks.registry import task_sets
from tests.rl.tasks.published import LAYOUTS
from tools.images.store import ImageStore

REAL = {"blood_cells": "bccd", "nuclei": "dsb2018", "chest_xrays": "cxr_lungs", "microscopy": ""}
KNOWN = {*REAL, *LAYOUTS}
MANY = 20
"""Tasks of a split that a test looks at; `python -m rl.tasks check NAME` looks at all."""


def root_of(name: str, request: pytest.FixtureRequest) -> Path | None:
    """Where the set's files lie."""
    if name in REAL:
        return Path(request.getfixturevalue("real_images")) / REAL[name]
    if name in LAYOUTS:
        folder = Path(request.getfixturevalue("tmp_path")) / name
        folder.mkdir()
        LAYOUTS[name](folder)
        return folder
    return None


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name, each in task_sets().items() if each.drawn or name in KNOWN])
def test_gold_is_right_and_nothing_else(name: str, store: ImageStore, request: pytest.FixtureRequest) -> None:
    found, root = task_sets()[name], root_of(name, request)
    splits = {split: load_tasks(name, split, root, store=store, count=MANY) for split in found.splits}
    assert faults_of_splits(splits, store) == []
    assert any(splits.values())
    again = load_tasks(name, found.splits[0], root, store=store, count=3)
    assert again == splits[found.splits[0]][:3]  # the same for the same seed, in the same order
