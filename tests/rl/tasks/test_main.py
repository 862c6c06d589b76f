"""The command line: list, check, and a contact sheet that shows where the answer lies."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rl.tasks.__main__ import main, spread
from rl.tasks.sheet import contact_sheet
from rl.tasks.task import Task
from tools.images.image import MedicalImage
from tools.images.store import ImageStore


def test_list_names_every_set_and_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "phantoms  " in (said := capsys.readouterr().out) and "Procedural chest phantoms" in said


def folder_with(tmp_path: Path, **fields: object) -> str:
    Image.fromarray(np.full((40, 60), 90, np.uint8)).save(tmp_path / "a.png")
    row = {"image": "a.png", "question": "Is it dark?", "answer": "yes", "grader": "closed", **fields}
    for split in ("train", "validation", "test"):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row) + "\n" if split == "train" else "\n")
    return str(tmp_path)


def test_check_proves_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", folder_with(tmp_path)]) == 0
    assert "train: 1 tasks on 1 images (question 1)" in capsys.readouterr().out
    assert main(["check", folder_with(tmp_path, regions=[[0, 0, 70, 20]])]) == 1
    assert "inside (60, 40) pixels" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "nowhere")]) == 2


def test_show_draws_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"
    assert main(["show", folder_with(tmp_path), "--split", "train", "--out", str(out)]) == 0
    assert Image.open(out).size[0] > 300
    assert main(["show", str(tmp_path), "--split", "test", "--out", str(out)]) == 2
    assert "no task in the split" in capsys.readouterr().err


def test_a_region_is_drawn_in_amber_where_it_lies_and_enlarged_far_from_it(store: ImageStore) -> None:
    image = store.put(MedicalImage(np.full((360, 360), 50, np.uint8)))
    small, large = (20.0, 20.0, 40.0, 40.0), (20.0, 20.0, 340.0, 340.0)
    for box, enlarged in ((small, True), (large, False)):
        task = Task("t/1", "name", "Where?", (image,), "here", "exact", regions=((1, box),))
        drawn = np.asarray(contact_sheet("t", [task], store))
        picture = drawn[92 + 16 : 92 + 16 + 360, 20 + 16 : 20 + 16 + 360]
        amber = (picture == (255, 176, 0)).all(axis=2)
        assert amber[18:20, 18:42].all()  # the upper edge of both boxes
        assert bool(amber[242, 242:].all()) is enlarged  # the inset's upper edge, in the lower right corner


def test_a_sheet_shows_kinds_in_turn(store: ImageStore) -> None:
    tasks = [Task(f"t/{kind}{n}", kind, "?", (), "", "exact") for kind in "ab" for n in range(3)]
    assert [task.id for task in spread(tasks, 3)] == ["t/a0", "t/b0", "t/a1"]
