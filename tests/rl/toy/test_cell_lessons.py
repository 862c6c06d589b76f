"""Lessons on real microscopy: turned images keep their boxes, train images alone, and never a call's own result."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agent.encoder import Encoder
from agent.prompt import END_OF_TURN, IMAGE
from agent.protocol import Turn, parse_turn
from rl.config import Config, Tasks
from rl.rollout.run_parts import RunParts, embedded_tools
from rl.tasks.files import content_of
from rl.tasks.splits import split_of
from rl.toy.cell_lessons import TURNS, CellTeacher, turned, turned_pixels
from rl.toy.curriculum import Cells
from rl.toy.lessons import Exchange
from rl.toy.teach import collate
from rl.training.base import NoBaseError
from rl.training.sft import demonstrate, replayed_rows
from tools.images.store import ImageStore

CELLS = "rl.toy.curriculum:Cells"


@pytest.mark.parametrize("turn", range(TURNS))
def test_a_turned_box_lies_where_its_pixels_do(turn: int) -> None:
    pixels = np.zeros((7, 10), np.uint8)
    pixels[1:3, 2:6] = 1
    rows, columns = np.nonzero(turned_pixels(pixels, turn))
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert turned((2.0, 1.0, 6.0, 3.0), (10, 7), turn) == found


SMEAR = [("WBC", [20, 100, 220, 300]), ("RBC", [400, 300, 500, 400]), ("Platelets", [380, 80, 420, 120])]
SQUARES = [(20, 20, 50, 50), (100, 20, 118, 56), (150, 150, 180, 180), (40, 120, 70, 150), (160, 20, 190, 50)]


def images_of(split: str, count: int, shape: tuple[int, ...], salt: str, folder: Path) -> list[str]:
    """Names of `count` images of noise that fall into a split."""
    rng, names = np.random.default_rng(0), list[str]()
    while len(names) < count:
        path = folder / f"{split}-{len(names)}.png"
        Image.fromarray(rng.integers(0, 255, shape, np.uint8)).save(path)
        if split_of(content_of(path), salt) == split:
            names.append(path.name)
    return names


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both sets' layouts with two train images and a test image each."""
    root = tmp_path_factory.mktemp("cells")
    labels = np.zeros((200, 200), np.uint16)
    for name, (x1, y1, x2, y2) in enumerate(SQUARES, start=1):
        labels[y1:y2, x1:x2] = name
    for name, shape, salt in (("bccd", (480, 640, 3), "blood_cells"), ("dsb2018", (200, 200), "nuclei")):
        (root / name).mkdir()
        names = images_of("train", 2, shape, salt, root / name) + images_of("test", 1, shape, salt, root / name)
        Image.fromarray(labels).save(root / name / "labels.png")
        objects = [{"label": label, "box": box} for label, box in SMEAR]
        record: dict[str, Any] = {"objects": objects, "labels": "labels.png", "stain": "fluorescence"}
        (root / name / "annotations.json").write_text(json.dumps([{"file": file, **record} for file in names]))
    return root


@pytest.fixture(scope="module")
def teacher(root: Path, encoder: Encoder) -> CellTeacher:
    return CellTeacher(embedded_tools().prompt_section(), encoder, root)


def said(exchange: Exchange) -> Turn:
    return parse_turn((exchange.given + exchange.target).removesuffix(END_OF_TURN))


def test_lessons_are_made_of_train_images_alone(teacher: CellTeacher) -> None:
    assert [len(each) for each in teacher.sources] == [2, 2]


def test_every_turn_is_one_that_the_agent_could_write_and_no_call_is_answered(teacher: CellTeacher) -> None:
    lessons = teacher.step(np.random.default_rng(0), 12)
    skills = {exchange.skill.partition("?")[0] for lesson in lessons for exchange in lesson}
    assert {"Is the nucleus", "What cell lies"} <= {skill[:14] for skill in skills}
    for lesson in lessons:
        for exchange in lesson:
            assert exchange.prompt.count(IMAGE) == len(exchange.views)
            said(exchange)
        for exchange, after in pairwise(lesson):
            assert not (said(exchange).calls and after.views)


def test_dense_labels_fit_the_image_tokens(teacher: CellTeacher, encoder: Encoder) -> None:
    lessons = teacher.step(np.random.default_rng(1), 4)
    batch = collate(lessons, encoder)
    assert batch["dense"].shape == batch["input_ids"].shape
    whole = {
        view.cells for lesson in lessons for exchange in lesson for view in exchange.views if len(view.cells) == 12
    }
    assert whole and all(set(cells) <= {"white", "red", "platelet", ""} for cells in whole)  # smears: 3 x 4, 4 x 3


def test_warm_up_replays_what_the_base_was_taught_on(
    root: Path, store: ImageStore, parts_of: Callable[..., RunParts]
) -> None:
    parts = parts_of(store, base={"lessons": CELLS}, tasks={"options": {"root": str(root)}})
    replayed = list(replayed_rows(parts, 6))
    text = " ".join(parts.family.decode(row.ids) for row in replayed)
    assert len(replayed) == 6 and ("nucle" in text or "cell" in text) and "lesion" not in text
    assert all(0 < sum(row.mask) < len(row.mask) for row in replayed)


async def test_demonstrations_on_a_runs_own_questions(
    root: Path, store: ImageStore, parts_of: Callable[..., RunParts], tmp_path: Path
) -> None:
    own = {"set": "microscopy", "options": {"root": str(root)}, "train": 100}
    warmup = {"tasks": "own", "trajectories": 4, "call_rate": 0.5}
    shown = await demonstrate(parts_of(store, tasks=own, warmup=warmup), tmp_path / "warmup")
    assert sorted(bool(each.calls) for each in shown) == [False, False, True, True]
    assert {str(each.task["id"]).split("/")[0] for each in shown} <= {"blood_cells", "nuclei"}
    assert all(each.correct for each in shown)


def test_lessons_on_cells_need_images() -> None:
    with pytest.raises(NoBaseError, match="without images"):
        Cells(Config(name="test"))
    assert Cells(Config(name="test", tasks=Tasks(options={"root": "a"}))).root == Path("a")
