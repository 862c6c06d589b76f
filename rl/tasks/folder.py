"""Your own questions: a folder with `train.jsonl`, `validation.jsonl`, `test.jsonl` and the images they name.

One question a line: `{"image": "scans/1.png", "question": "...", "answer": "..."}`, with, where wanted, `kind`
(results are reported per kind), `grader` (a name of rl/graders/) with its `rules`, `spacing` ([row, column] mm per
pixel), `needs_tool`, and `regions` (boxes in pixels, [x1, y1, x2, y2], for evaluation only). Images are read into the
run's store; file names go nowhere. Splits that share an image are refused: a policy would be measured on what it was
trained on.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rl.graders import grade, graders
from rl.tasks.errors import TaskFileError
from rl.tasks.task import Task
from tools.errors import ImageError
from tools.geometry import PixelBox
from tools.images.load import load_image
from tools.images.store import ImageStore

__all__ = ["TaskFileError", "load"]
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


def load(folder: Path, store: ImageStore, split: str, count: int) -> Iterator[Task]:
    """The first `count` tasks of a split. Raises TaskFileError."""
    for number, row in enumerate(_rows(folder, split, store)):
        if number == count:
            return
        yield row


def _rows(folder: Path, split: str, store: ImageStore) -> Iterator[Task]:
    path = folder / f"{split}.jsonl"
    elsewhere = {row.image for other in SPLITS if other != split for _, row in _read(folder / f"{other}.jsonl")}
    for number, row in _read(path):
        where = f"{path}, line {number}"
        if row.image in elsewhere:
            raise TaskFileError(f"{where}: got {row.image}, which another split has too; give each image one split.")
        if not _takes_its_gold(row):
            raise TaskFileError(
                f"{where}: grader {row.grader!r} does not take its gold answer {row.answer!r} for right."
            )
        try:
            image = store.put(load_image(folder / row.image, spacing=row.spacing))
        except ImageError as error:
            raise TaskFileError(f"{where}: {error}") from error
        yield Task(
            id=f"{folder.name}/{split}/{number}",
            kind=row.kind,
            question=row.question,
            images=(image,),
            answer=row.answer,
            grader=row.grader,
            rules=row.rules,
            needs_tool=row.needs_tool,
            regions=tuple((1, box) for box in row.regions),
        )


def _takes_its_gold(row: Row) -> bool:
    try:
        return row.grader in graders() and grade(row.grader, row.answer, row.answer, row.rules) == 1.0
    except ValueError:
        return False


def _read(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise TaskFileError(f"Got no {path}, expected one JSON object a line; see rl/tasks/folder.py.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, Row.model_validate(json.loads(line))
            except (json.JSONDecodeError, ValidationError) as error:
                raise TaskFileError(f"{path}, line {number}: {error}") from error
