"""The extended phantoms: seeded, disjoint, of any size; gold is right, and the real tools show it to the expert."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from rl.graders import grade
from rl.tasks import Task, TaskFileError, load_tasks
from rl.tasks.phantoms_plus.scene import LARGE, SMALL, TYPES, Lesion, outline, place
from rl.tasks.sets.phantoms_plus import SLICES, quadrant
from tools.calls import ToolCall, ToolResult
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox

KINDS = [
    f"{modality}_{kind}"
    for kind in ("side", "type", "compare")
    for modality in ("xray", "ct", "ultrasound", "microscopy")
]
KINDS += ["xray_measure", "ct_measure", "ultrasound_measure", "ct_slice", "ct_window"]
ROUND = len(KINDS)
TOOLS = ["zoom_in", "measure_distance", "show_slice", "window_level"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageStore, list[Task]]:
    """One task of each kind, 256 pixels wide."""
    store = ImageStore(tmp_path_factory.mktemp("plus"))
    return store, load_tasks("phantoms_plus", "test", store=store, count=ROUND, size=256)


def of_kind(drawn: tuple[ImageStore, list[Task]], kind: str) -> Task:
    return next(task for task in drawn[1] if task.kind == kind)


async def work(store: ImageStore, task: Task) -> list[ToolResult]:
    calls = [ToolCall.model_validate(call) for call in task.expert]
    return await Toolbox(load_tools(TOOLS)).run(calls, task.images, store)


def test_kinds_take_turns(drawn: tuple[ImageStore, list[Task]]) -> None:
    assert Counter(task.kind for task in drawn[1]) == dict.fromkeys(KINDS, 1)


async def test_every_experts_calls_run(drawn: tuple[ImageStore, list[Task]]) -> None:
    for task in drawn[1]:
        results = await work(drawn[0], task)
        assert [result.status for result in results] == ["ok"] * len(results) != []


async def test_a_zoom_shows_the_whole_lesion(drawn: tuple[ImageStore, list[Task]]) -> None:
    for kind in KINDS:
        if kind.endswith(("type", "compare")):
            task = of_kind(drawn, kind)
            for result, (_, gold) in zip(await work(drawn[0], task), task.regions, strict=True):
                x1, y1, x2, y2 = result.regions[0].box
                assert x1 <= gold[0] and y1 <= gold[1] and gold[2] <= x2 and gold[3] <= y2


async def test_a_measurement_read_out_is_right(drawn: tuple[ImageStore, list[Task]]) -> None:
    for modality in ("xray", "ct", "ultrasound"):
        task = of_kind(drawn, f"{modality}_measure")
        (result,) = await work(drawn[0], task)
        assert grade(task.grader, result.text.removeprefix("Distance: "), task.answer, task.rules) == 1.0


async def test_the_hidden_window_is_black_around_the_lesion_and_the_tool_shows_it(
    drawn: tuple[ImageStore, list[Task]],
) -> None:
    store, task = drawn[0], of_kind(drawn, "ct_window")
    x1, y1, x2, y2 = (round(value) for value in task.regions[0][1])
    around = slice(max(0, y1 - 4), y2 + 4), slice(max(0, x1 - 4), x2 + 4)
    assert np.asarray(store.get(task.images[0]).display())[around].max() == 0
    (result,) = await work(store, task)
    shown = np.asarray(store.get(result.images[0]).display()).astype(float)[around]
    assert shown.std() > 10
    assert task.needs_tool is True


async def test_the_asked_slice_is_another_than_the_one_shown(drawn: tuple[ImageStore, list[Task]]) -> None:
    store, task = drawn[0], of_kind(drawn, "ct_slice")
    volume = store.get(task.images[0]).volume
    assert volume is not None and volume.count == SLICES
    number = task.expert[0]["arguments"]["slice"]
    assert f"slice {number}:" in task.question and number != volume.middle
    (result,) = await work(store, task)
    assert np.array_equal(store.get(result.images[0]).pixels, volume.slice(number))


def test_quadrants_follow_from_the_regions(drawn: tuple[ImageStore, list[Task]]) -> None:
    for kind in KINDS:
        if kind.endswith(("side", "window")):
            task = of_kind(drawn, kind)
            x1, y1, x2, y2 = (value / 256 for value in task.regions[0][1])
            assert quadrant(Lesion((x1 + x2) / 2, (y1 + y2) / 2, 0.1, "solid", 0.0)) == task.answer


def test_a_task_is_the_same_for_the_same_seed_and_no_other(store: ImageStore) -> None:
    first, again, other = (
        load_tasks("phantoms_plus", "train", store=store, count=4, size=128, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again and not {task.images for task in first} & {task.images for task in other}


@pytest.mark.slow
def test_no_picture_is_in_two_splits(store: ImageStore) -> None:
    found = [
        load_tasks("phantoms_plus", split, store=store, count=ROUND, size=128)
        for split in ("train", "validation", "test", "warmup")
    ]
    assert len({task.images for tasks in found for task in tasks}) == 4 * ROUND


@pytest.mark.parametrize("size", [128, 300, 600])
def test_any_size_shows_the_same_scene(store: ImageStore, size: int) -> None:
    shown = load_tasks("phantoms_plus", "test", store=store, count=1, size=size)[0]
    image = store.get(shown.images[0])
    assert image.size == (size, size) and image.spacing is not None
    assert 0.3 * 512 <= image.spacing[0] * size <= 512.5  # the field of view in mm does not depend on the size


def test_difficulty_makes_lesions_smaller_and_a_small_one_needs_a_tool(store: ImageStore) -> None:
    options: dict[str, Any] = {"modalities": ["xray"], "kinds": ["type"], "size": 128}
    easy, hard = (
        load_tasks("phantoms_plus", "test", store=store, count=8, difficulty=each, **options) for each in (0, 1)
    )
    for tasks, diameter, needs in ((easy, LARGE, None), (hard, SMALL, True)):
        for task in tasks:
            (_, (x1, _, x2, _)) = task.regions[0]
            assert 0.89 * diameter <= (x2 - x1) / 128 <= 1.11 * diameter
            assert task.needs_tool is needs  # 9 % of 112 pixels are 10, 4 % are 4.5


def test_types_differ_in_outline_and_hardly_in_area() -> None:
    areas = {type: float(outline(Lesion(0.5, 0.5, 0.3, type, 0.4), 200).sum()) for type in TYPES}
    assert min(areas.values()) / max(areas.values()) > 0.8


def test_lesions_are_clear_of_the_midlines() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        lesion = place(rng, (0.5, 0.5, 0.3, 0.3), 0.5)
        assert abs(lesion.x - 0.5) > 0.06 and abs(lesion.y - 0.5) > 0.06


def test_half_of_the_pairs_are_of_one_type(store: ImageStore) -> None:
    tasks = load_tasks("phantoms_plus", "train", store=store, count=120, size=128, modalities=["ct"], kinds=["compare"])
    assert 42 <= Counter(task.answer for task in tasks)["yes"] <= 78  # 60, and 3.3 standard deviations of 5.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 64}, "128 to 4096"),
        ({"difficulty": 1.5}, "0 to 1"),
        ({"modalities": ["mri"]}, "Got mri, expected modalities of xray, ct"),
        ({"kinds": ["riddle"]}, "Got riddle"),
        ({"modalities": ["xray"], "kinds": ["slice"]}, "no kind that these modalities have"),
    ],
)
def test_wrong_options_say_why(store: ImageStore, options: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskFileError, match=said):
        load_tasks("phantoms_plus", "test", store=store, count=1, **options)
