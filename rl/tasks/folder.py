"""Your own questions: a folder with `train.jsonl`, `validation.jsonl`, `test.jsonl` and the images they name.

One question a line: `{"image": "scans/1.png", "question": "...", "answer": "..."}`, with, where wanted, `kind`
(results are reported per kind), `grader` (a name of rl/graders/) with its `rules`, `spacing` ([row, column] mm per
pixel), `needs_tool`, and `regions` (boxes in pixels, [x1, y1, x2, y2], for evaluation only). Images are read into the
run's store; names of files and folders go nowhere, ids are made from content. Splits that share an image are refused: a
policy would be measured on what it was trained on (here by its path; rl/training/preflight/leaks.py compares pixels).
"""

import hashlib
import json
import os
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from rl.graders import grade, graders
from rl.tasks.errors import TaskFileError
from rl.tasks.files import whole_text
from rl.tasks.task import Task
from tools.errors import ImageError
from tools.geometry import PixelBox
from tools.images.load import load_image
from tools.images.store import ImageStore
from tools.spelling import did_you_mean

__all__ = ["TaskFileError", "load_folder"]
SPLITS = ("train", "validation", "test")


class Row(BaseModel):
    """One line of a task file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    question: str
    answer: str
    kind: str = "question"
    grader: str = "exact"
    rules: dict[str, Any] = {}
    spacing: tuple[float, float] | None = None
    needs_tool: bool | None = None
    regions: tuple[PixelBox, ...] = ()


def load_folder(folder: Path, store: ImageStore, split: str, count: int) -> Iterator[Task]:
    """The first `count` tasks of a split. Raises TaskFileError."""
    for task in checked(folder, store, split, count):
        if isinstance(task, TaskFileError):
            raise task
        yield task


def checked(folder: Path, store: ImageStore, split: str, count: int) -> Iterator[Task | TaskFileError]:
    """The task of each of the first `count` lines of a split, or what is wrong with that line."""
    try:
        named = [row.image for other in SPLITS if other != split for _, row in _sound(folder / f"{other}.jsonl")]
        rows = list(_read(folder / f"{split}.jsonl"))
    except TaskFileError as error:  # a file that is not there, or that nobody can read
        yield error
        return
    elsewhere = {os.path.normpath(name) for name in named}
    set_name = _set_name(row for _, row in rows if isinstance(row, Row))
    for number, row in rows[:count]:
        if isinstance(row, TaskFileError):
            yield row
            continue
        try:
            image = _image(folder, row, elsewhere, store)
        except TaskFileError as error:
            yield TaskFileError(f"{folder / f'{split}.jsonl'}, line {number}: {error}")
            continue
        yield Task(
            id=f"{set_name}/{split}/{number}",
            kind=row.kind,
            question=row.question,
            images=(image,),
            answer=row.answer,
            grader=row.grader,
            rules=row.rules,
            needs_tool=row.needs_tool,
            regions=tuple((1, box) for box in row.regions),
        )


def _set_name(rows: Iterable[Row]) -> str:
    """What these tasks are called by: their content, since a folder's name, or an image's, may be a patient's."""
    content = "\n".join(f"{row.question}\t{row.answer}" for row in rows)
    return f"own-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _image(folder: Path, row: Row, elsewhere: Container[str], store: ImageStore) -> str:
    """The id of a row's image. Raises TaskFileError for what the row cannot be used for."""
    if os.path.normpath(row.image) in elsewhere:
        raise TaskFileError(f"got {row.image}, which another split has too; give each image one split.")
    known = graders()
    if row.grader not in known:
        expected = ", ".join(sorted(known))
        raise TaskFileError(f"got grader {row.grader!r}, expected one of {expected}.{did_you_mean(row.grader, known)}")
    try:
        right = grade(row.grader, row.answer, row.answer, row.rules) == 1.0
    except ValueError as error:
        raise TaskFileError(f"grader {row.grader!r} cannot use the gold answer {row.answer!r}: {error}") from error
    if not right:
        raise TaskFileError(f"grader {row.grader!r} does not take its gold answer {row.answer!r} for right.")
    try:
        return store.put(load_image(folder / row.image, spacing=row.spacing))
    except ImageError as error:
        raise TaskFileError(str(error)) from error


def _sound(path: Path) -> Iterator[tuple[int, Row]]:
    yield from ((number, row) for number, row in _read(path) if isinstance(row, Row))


def _read(path: Path) -> Iterator[tuple[int, Row | TaskFileError]]:
    """(line, row), or what is wrong with the line. Raises TaskFileError where the file cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise TaskFileError(f"Got no {path}, expected one JSON object a line; see rl/tasks/folder.py.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise TaskFileError(f"Got {path}, which cannot be read as UTF-8 text: {error}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, Row.model_validate(whole_text(json.loads(line)))
            except (ValueError, RecursionError) as error:
                yield number, TaskFileError(f"{path}, line {number}: {error}")
