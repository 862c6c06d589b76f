"""A folder of one's own questions: what is read, and what is refused with its line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rl.tasks.folder import TaskFileError
from rl.tasks.sets import iterate_tasks
from tools.images.store import ImageStore


def write(folder: Path, **splits: list[dict[str, Any]]) -> Path:
    """A folder with these questions, and two pictures."""
    for name, grey in (("a.png", 10), ("b.png", 200)):
        Image.fromarray(np.full((40, 60), grey, np.uint8)).save(folder / name)
    for split in ("train", "validation", "test"):
        lines = "\n".join(json.dumps(row) for row in splits.get(split, []))
        (folder / f"{split}.jsonl").write_text(lines + "\n")
    return folder


QUESTION = {"image": "a.png", "question": "Is it dark?", "answer": "yes"}


def read(folder: Path, split: str = "train", count: int = 9) -> list[Any]:
    return list(iterate_tasks(str(folder), ImageStore(folder / "store"), split, count, 0))


def test_a_line_becomes_a_task(tmp_path: Path) -> None:
    length = {**QUESTION, "answer": "12.0 mm", "grader": "millimetres", "kind": "length", "spacing": [0.5, 0.25]}
    write(tmp_path, train=[QUESTION, {**length, "needs_tool": True, "regions": [[1, 2, 3, 4]]}])
    first, second = read(tmp_path)
    assert (first.kind, first.answer, first.needs_tool, first.regions) == ("question", "yes", None, ())
    assert (second.kind, second.grader, second.regions) == ("length", "millimetres", ((1, (1, 2, 3, 4)),))
    assert ImageStore(tmp_path / "store").get(second.images[0]).spacing == (0.5, 0.25)
    assert "a.png" not in json.dumps([first.to_plain(), second.to_plain()])
    assert len(read(tmp_path, count=1)) == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"image": "a.png", "question": "?"}, "line 1"),
        ({**QUESTION, "patient": "Doe"}, "patient"),
        ({**QUESTION, "image": "none.png"}, "line 1"),
        ({**QUESTION, "grader": "clairvoyant"}, "clairvoyant"),
        ({**QUESTION, "grader": "clozed"}, "line 1: got grader 'clozed', expected one of .* Did you mean closed"),
        ({**QUESTION, "grader": "millimetres"}, "gold answer 'yes'"),
        ({**QUESTION, "question": "Is it \ud800?"}, "line 1: got half a surrogate pair"),
        ({**QUESTION, "answer": "\udfff"}, "line 1: got half a surrogate pair"),
        ({**QUESTION, "rules": {"accepted": ["\ud800"]}}, "line 1: got half a surrogate pair"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskFileError, match=said):
        read(write(tmp_path, train=[row]))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (write(tmp_path, train=[QUESTION]) / "train.jsonl").write_bytes(b'{"image": "\xff"}\n')
    with pytest.raises(TaskFileError, match=r"train\.jsonl, which cannot be read as UTF-8 text"):
        read(tmp_path)


def test_no_name_of_a_file_or_folder_goes_into_a_task(tmp_path: Path) -> None:
    folder = tmp_path / "Doe_John_1949"
    folder.mkdir()
    write(folder, train=[QUESTION, QUESTION], test=[{**QUESTION, "image": "b.png"}])
    tasks = [*read(folder), *read(folder, "test")]
    assert "Doe" not in json.dumps([task.to_plain() for task in tasks])
    assert len({task.id for task in tasks}) == 3
    moved = folder.rename(tmp_path / "elsewhere")
    assert [task.id for task in (*read(moved), *read(moved, "test"))] == [task.id for task in tasks]


def test_tasks_of_two_folders_have_two_ids(tmp_path: Path) -> None:
    for name, answer in (("one", "yes"), ("two", "no")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, train=[{**QUESTION, "answer": answer}])
    assert read(tmp_path / "one")[0].id != read(tmp_path / "two")[0].id


def test_splits_that_share_an_image_are_refused(tmp_path: Path) -> None:
    write(tmp_path, train=[QUESTION], test=[QUESTION])
    with pytest.raises(TaskFileError, match="another split"):
        read(tmp_path)
    write(tmp_path, train=[QUESTION], test=[{**QUESTION, "image": "./a.png"}])
    with pytest.raises(TaskFileError, match="another split"):
        read(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskFileError, match=r"\.jsonl, expected"):
        read(tmp_path)
