"""The imperfect demonstrator: what it looks at, what it guesses, what it reads out."""

import numpy as np
import pytest

from rl.tasks.demonstrator import GRID
from rl.tasks.phantoms.demonstrator import JITTER, SIDES, demonstration
from rl.tasks.phantoms.image import SIZE
from rl.tasks.task import Task
from tools.geometry import SCALE
from tools.images.store import ImageStore

Gallery = tuple[ImageStore, list[Task]]


def of_kind(gallery: Gallery, kind: str) -> Task:
    return next(task for task in gallery[1] if task.kind == kind)


@pytest.mark.parametrize(("kind", "calls"), [("name", 1), ("count", 1), ("compare", 2), ("side", 1), ("measure", 1)])
def test_it_looks_first_and_then_answers(gallery: Gallery, kind: str, calls: int) -> None:
    task = of_kind(gallery, kind)
    play = demonstration(task, True, np.random.default_rng(0))
    first, second = play(0, ""), play(1, "Closer view of image 1.")
    assert (len(first.calls), first.answer) == (calls, None)
    assert (second.calls, second.answer, second.thought) == ((), task.answer, task.reading)


def test_it_reads_out_what_the_tool_measured_not_the_gold_answer(gallery: Gallery) -> None:
    play = demonstration(of_kind(gallery, "measure"), True, np.random.default_rng(0))
    assert play(1, "Distance: 12.3 mm.").answer == "12.3 mm"


def test_without_looking_it_guesses_in_its_first_turn(gallery: Gallery) -> None:
    task = of_kind(gallery, "name")
    said = {demonstration(task, False, np.random.default_rng(seed))(0, "").answer for seed in range(40)}
    assert said == {"solid", "cystic", "spiculated", "lobulated"}


def test_its_boxes_vary_in_size_and_place(gallery: Gallery) -> None:
    task = of_kind(gallery, "name")
    (_, gold), *_ = task.regions
    sides, offsets = set(), []
    for seed in range(200):
        (call,) = demonstration(task, True, np.random.default_rng(seed))(0, "").calls
        x1, _, x2, _ = call.arguments["box"]
        sides.add(x2 - x1)
        offsets.append((x1 + x2) / 2 / 999 * 512 - (gold[0] + gold[2]) / 2)
    assert sides == set(SIDES)
    step = GRID / SCALE * SIZE  # written on a grid: uniform rounding adds step/sqrt(12) to the spread
    assert 0.7 * JITTER < np.std(offsets) < 1.5 * np.hypot(JITTER, step / np.sqrt(12))
