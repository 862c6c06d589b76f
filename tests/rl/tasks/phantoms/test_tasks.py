"""The phantom task set: seeded, disjoint, balanced; its gold answers are right and its expert knows how to look."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rl.graders import grade
from rl.rollout.run_parts import RunParts, embedded_tools
from rl.tasks.phantoms.image import TYPES
from rl.tasks.phantoms.questions import KINDS
from rl.tasks.phantoms.tasks import SPLITS, guess, make, phantom_tasks
from rl.tasks.task import Task
from tests.rl.scripts import answers, looks
from tools.calls import ToolCall, ToolResult
from tools.images.store import ImageStore

OTHER_SIDE = {"upper": "lower", "lower": "upper"}


def wrong(task: Task) -> str:
    """A legal answer that is not the gold one."""
    match task.kind:
        case "name":
            return next(each for each in TYPES if each != task.answer)
        case "count":
            return str(int(task.answer) % 4 + 1)
        case "compare":
            return "no" if task.answer == "yes" else "yes"
        case "side":
            half, side = task.answer.split()
            return f"{OTHER_SIDE[half]} {side}"
        case _:
            return f"{float(task.answer.split()[0]) * 1.2:.1f} mm"


async def work(task: Task, store: ImageStore) -> list[ToolResult]:
    """What the real tools return to the expert's calls."""
    calls = [ToolCall.model_validate(call) for call in task.expert]
    for call in calls:
        embedded_tools().validate(call, image_count=len(task.images))
    return await embedded_tools().run(calls, task.images, store)


def test_a_task_is_the_same_for_the_same_seed(gallery: tuple[ImageStore, list[Task]], tmp_path: Any) -> None:
    store, tasks = gallery
    again = ImageStore(tmp_path)
    made = make(again, "test", 3)
    assert made == tasks[3]
    assert again.path(made.images[0]).read_bytes() == store.path(tasks[3].images[0]).read_bytes()
    assert make(again, "test", 3, seed=1).images != made.images


def test_pictures_are_512_pixels_and_know_their_spacing(gallery: tuple[ImageStore, list[Task]]) -> None:
    store, tasks = gallery
    for task in tasks:
        picture = store.get(task.images[0])
        assert picture.pixels.shape == (512, 512) and picture.pixels.dtype == np.uint8
        assert picture.spacing is not None and 0.3 <= picture.spacing[0] == picture.spacing[1] <= 1.0


@pytest.mark.slow
def test_no_picture_is_in_two_splits(store: ImageStore) -> None:
    pictures = {split: {task.images[0] for task in phantom_tasks(store, split, 60)} for split in SPLITS}
    assert all(len(each) == 60 for each in pictures.values())
    assert len(set.union(*pictures.values())) == 60 * len(SPLITS)


@pytest.mark.usefixtures("undrawn")
def test_gold_answers_are_right_and_others_are_not(store: ImageStore) -> None:
    for task in phantom_tasks(store, "train", 100):
        assert grade(task.grader, task.answer, task.answer) == 1.0
        assert grade(task.grader, f" {task.answer.upper()}. ", task.answer) == 1.0
        assert [grade(task.grader, said, task.answer) for said in (wrong(task), "", None)] == [0.0] * 3


@pytest.mark.usefixtures("undrawn")
def test_kinds_take_turns_and_only_the_side_needs_no_tool(store: ImageStore) -> None:
    tasks = list(phantom_tasks(store, "validation", 100))
    assert Counter(task.kind for task in tasks) == dict.fromkeys(KINDS, 20)
    assert {task.kind for task in tasks if task.needs_tool is False} == {"side"}
    assert all(task.needs_tool in (True, False) for task in tasks)
    assert len({task.id for task in tasks}) == 100


@pytest.mark.usefixtures("undrawn")
def test_half_of_the_pairs_to_compare_are_of_one_type(store: ImageStore) -> None:
    compare = KINDS.index("compare")
    said = Counter(make(store, "train", 5 * index + compare).answer for index in range(300))
    assert 129 <= said["yes"] <= 171  # 150, and 2.4 standard deviations of 8.7 to each side


@pytest.mark.usefixtures("undrawn")
async def test_an_experts_zooms_show_what_the_answer_lies_in(store: ImageStore) -> None:
    for task in phantom_tasks(store, "test", 60):
        if task.kind == "measure":
            continue
        results = await work(task, store)
        assert len(results) == len(task.regions) == (2 if task.kind == "compare" else 1)
        for result, (number, gold) in zip(results, task.regions, strict=True):
            assert (result.status, number) == ("ok", 1)
            x1, y1, x2, y2 = result.regions[0].box
            assert x1 < (gold[0] + gold[2]) / 2 < x2 and y1 < (gold[1] + gold[3]) / 2 < y2
            assert x1 <= gold[0] and y1 <= gold[1] and gold[2] <= x2 and gold[3] <= y2  # the whole of it


@pytest.mark.usefixtures("undrawn")
async def test_the_experts_measurements_are_within_tolerance(store: ImageStore) -> None:
    measure = KINDS.index("measure")
    right = 0.0
    for index in range(100):
        task = make(store, "train", 5 * index + measure)
        (result,) = await work(task, store)
        assert result.measurements[0].unit == "mm"
        right += grade(task.grader, result.text.removeprefix("Distance: "), task.answer)
    assert right >= 97


async def test_through_the_graph_an_expert_is_right(
    gallery: tuple[ImageStore, list[Task]], parts_of: Callable[..., RunParts], play: Callable[..., Any]
) -> None:
    store, tasks = gallery
    for task in tasks[:5]:
        trajectory = await play(parts_of(store), task, looks(task))
        assert trajectory.correct and trajectory.outcome == "answered", task.kind
        assert [call["status"] for call in trajectory.calls] == ["ok"] * len(task.expert)
        assert len(trajectory.images) == 1 + (0 if task.kind == "measure" else len(task.expert))


async def test_through_the_graph_a_measurement_can_be_read_out(
    gallery: tuple[ImageStore, list[Task]], parts_of: Callable[..., RunParts], play: Callable[..., Any]
) -> None:
    store, tasks = gallery
    task = next(task for task in tasks if task.kind == "measure")

    def script(turn: int, observed: str) -> str:
        return looks(task)[0] if turn == 0 else answers(observed.removeprefix("Distance: ").partition(".\n")[0])[0]

    assert (await play(parts_of(store), task, script)).correct


@pytest.mark.usefixtures("undrawn")
def test_a_guess_is_a_legal_answer_and_right_by_chance_only(store: ImageStore) -> None:
    rng = np.random.default_rng(0)
    right: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for task in phantom_tasks(store, "train", 500):
        right[task.kind].append(grade(task.grader, guess(rng, task), task.answer))
    shares = {kind: sum(values) / len(values) for kind, values in right.items()}
    assert shares["side"] == 1.0
    assert 0.15 < shares["name"] < 0.35 and 0.15 < shares["count"] < 0.35 and 0.35 < shares["compare"] < 0.65
    assert shares["measure"] < 0.3


def test_an_unknown_split_is_an_error(store: ImageStore) -> None:
    with pytest.raises(KeyError, match="dev"):
        make(store, "dev", 0)
