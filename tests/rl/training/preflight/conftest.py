"""A folder of one's own questions, to be broken."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

QUESTION = {"question": "Is it dark?", "answer": "yes"}


def grey(path: Path, seed: int, size: int = 64) -> str:
    """Writes a picture that has no like; its name."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path.name


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of two questions a split, each on an image of its own."""
    folder = tmp_path / "own"
    folder.mkdir()
    for number, split in enumerate(("train", "validation", "test")):
        rows = [{"image": grey(folder / f"{split}-{each}.png", 10 * number + each), **QUESTION} for each in (1, 2)]
        write(folder, split, rows)
    return folder


def write(folder: Path, split: str, rows: list[dict[str, Any]]) -> None:
    (folder / f"{split}.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")


def change(folder: Path, split: str, line: int, **fields: Any) -> None:
    rows = [json.loads(each) for each in (folder / f"{split}.jsonl").read_text().splitlines()]
    rows[line - 1] |= fields
    write(folder, split, rows)
