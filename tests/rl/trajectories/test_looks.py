"""What real tools showed, and what rewards, report and evaluation make of it: a pointless call never pays, and a look
is the same to all three."""

import math
from typing import Any, cast

import numpy as np
import pytest

from rl.config import Rl
from rl.evaluation.grounding import centre_hits, holds_gold, overlap
from rl.evaluation.report.scenes import scene
from rl.rewards.compose import score, score_group
from rl.rewards.presets import PRESETS
from rl.rewards.region import region
from rl.tasks.phantoms import demonstrator
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode
from rl.trajectories.looks import found_something, looked_at
from rl.trajectories.record import record
from tests.rl.scripts import looks
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox, ToolCall

SIZE = 500
GOLD = (200.0, 200.0, 260.0, 260.0)
AROUND = [390, 390, 530, 530]
"""The same box with a margin, in 0-999: it holds GOLD."""
CORNER = [880, 880, 980, 980]

SAYS_NOTHING = {
    "facts": ("image_information", {}),
    "facts twice": ("image_information", {}, {}),
    "drawn where the answer lies": ("mark_regions", {"boxes": [AROUND], "labels": ["here"]}),
    "an arrow to it": ("annotate", {"points": [[460, 460]], "labels": ["it"]}),
    "the whole image": ("zoom_in", {"box": [0, 0, 999, 999]}),
    "the whole image, enlarged": ("zoom_in", {"box": [0, 0, 999, 999], "size": 1024}),
    "the whole image in tiles": ("tile_overview", {}),
    "the whole image turned": ("rotate_flip", {"degrees": 90}),
    "the whole image beside itself": ("mirror_compare", {"box": [0, 0, 499, 999]}),
    "two specks": (
        "compare_regions",
        {"box": [450, 450, 454, 454], "other_image": 1, "other_box": [460, 460, 464, 464]},
    ),
}
"""Calls that cannot tell anything of what the image shows, whatever the question."""
ELSEWHERE = {
    "a pixel in a corner": ("zoom_in", {"box": [990, 990, 991, 991]}),
    "a far corner": ("zoom_in", {"box": CORNER}),
    "a measurement of two pixels": ("measure_distance", {"start": [10, 10], "end": [12, 10]}),
    "the mean of a corner": ("region_statistics", {"box": CORNER}),
}
"""Calls that tell something, but not of what is asked."""
CLOSER = {
    "zoom": ("zoom_in", {"box": AROUND}),
    "with a margin": ("zoom_in", {"box": AROUND, "margin": 20}),
    "in steps": ("magnify_series", {"point": [460, 460], "steps": 1}),
    "beside another part": ("compare_regions", {"box": AROUND, "other_image": 1, "other_box": [600, 600, 700, 700]}),
}
WEIGHTS = {"default": Rl().rewards, **PRESETS, "region": {"answer": 1.0, "region": 1.0}}


@pytest.fixture
def scan(store: ImageStore) -> str:
    noise = np.random.default_rng(0).integers(0, 200, (SIZE, SIZE), np.uint8)
    return store.put(MedicalImage(noise, spacing=(0.5, 0.5)))


def asked(scan: str, needs_tool: bool | None) -> Task:
    return Task("own/1", "name", "What?", (scan,), "solid", "exact", needs_tool, ((1, GOLD),))


async def ended(store: ImageStore, scan: str, *wanted: Any, answer: str = "solid") -> FinishedEpisode:
    """The final state of an episode with these calls, each really run."""
    results: list[Any] = []
    for name, *several in wanted:
        calls = [ToolCall(name=name, arguments={"image": 1, **arguments}) for arguments in several]
        results += await Toolbox(load_tools([name])).run(calls, [scan], store)
    assert {each.status for each in results} <= {"ok"}, [each.text for each in results]
    made = [image for each in results for image in each.images]
    state = {
        "answer": answer,
        "outcome": "answered",
        "calls": [each.model_dump(mode="json") for each in results],
        "images": [scan, *made],
        "turns": 1 + len(results),
        "transcript": [],
        "faults": 0,
        "rows": [],
        "untrained": [],
        "versions": [],
    }
    return cast(FinishedEpisode, state)


@pytest.mark.parametrize("what", SAYS_NOTHING)
async def test_a_call_that_says_nothing_never_pays(what: str, store: ImageStore, scan: str) -> None:
    for answer in ("solid", "cystic"):
        silent = await ended(store, scan, answer=answer)
        called = await ended(store, scan, SAYS_NOTHING[what], answer=answer)
        for needs_tool in (None, False, True):
            assert_never_pays(asked(scan, needs_tool), called, silent)


@pytest.mark.parametrize("what", ELSEWHERE)
async def test_where_nobody_knows_that_a_tool_is_needed_no_call_pays(what: str, store: ImageStore, scan: str) -> None:
    silent, called = await ended(store, scan), await ended(store, scan, ELSEWHERE[what])
    for needs_tool in (None, False):
        assert_never_pays(asked(scan, needs_tool), called, silent)


def assert_never_pays(task: Task, called: FinishedEpisode, silent: FinishedEpisode) -> None:
    for name, weights in WEIGHTS.items():
        earned, without = score(task, called, weights)[0], score(task, silent, weights)[0]
        assert earned <= without, f"{name}: {earned} with the call, {without} without"


async def test_own_data_under_the_default_rewards(store: ImageStore, scan: str) -> None:
    task, weights = asked(scan, None), Rl().rewards
    earned = [score(task, await ended(store, scan, *calls), weights)[0] for calls in ((), (SAYS_NOTHING["facts"],))]
    assert earned == pytest.approx([1.3, 1.2])  # the call costs 0.1 and earns nothing
    needed = asked(scan, True)
    assert score(needed, await ended(store, scan, CLOSER["zoom"]), weights)[0] == pytest.approx(2.2)
    assert score(needed, await ended(store, scan, SAYS_NOTHING["facts"]), weights)[0] == pytest.approx(1.2)


@pytest.mark.parametrize("what", SAYS_NOTHING)
async def test_what_says_nothing_agrees_with_nobody(what: str, store: ImageStore, scan: str) -> None:
    # of three right ones two look at the answer: the third earns what one without a call earns
    good = await ended(store, scan, CLOSER["zoom"])
    for third in (await ended(store, scan), await ended(store, scan, SAYS_NOTHING[what])):
        found = score_group(asked(scan, None), [good, good, third], {"cca": 1.0})
        assert [components["cca"] for _, components in found] == [1.0, 1.0, 0.5]


TABLE = {
    **{what: (call, "none") for what, call in SAYS_NOTHING.items()},
    "a pixel in a corner": (ELSEWHERE["a pixel in a corner"], "beside"),
    "a far corner": (ELSEWHERE["a far corner"], "beside"),
    "a measurement elsewhere": (ELSEWHERE["a measurement of two pixels"], "none"),
    "the mean of where the answer lies": (("region_statistics", {"box": AROUND}), "none"),
    "its outline": (("measure_area", {"points": [[380, 380], [540, 380], [540, 540], [380, 540]]}), "none"),
    **{what: (call, "there") for what, call in CLOSER.items()},
}


@pytest.mark.parametrize("what", TABLE)
async def test_reward_report_and_evaluation_agree(what: str, store: ImageStore, scan: str) -> None:
    call, where = TABLE[what]
    task = asked(scan, None)
    state = await ended(store, scan, call)
    episode = record("e", "test", task, state, {"answer": 1.0}, 1.0, 0.1)
    reward, iou, reason = region(task, state), overlap(episode), holds_gold(episode, {scan: (SIZE, SIZE)})
    if where == "there":
        assert reward > 0 and iou is not None and iou > 0 and reason is True and centre_hits(episode) == 1.0
    else:
        assert (reward, iou, reason) == (0.0, 0.0 if where == "beside" else None, False)


async def test_calls_that_show_nothing_are_no_look_to_anyone(store: ImageStore, scan: str) -> None:
    task = asked(scan, True)
    state = await ended(store, scan, *SAYS_NOTHING.values())
    episode = record("e", "test", task, state, {"answer": 1.0}, 1.0, 0.1)
    assert looked_at(episode.calls) == {} and not found_something(episode.calls)
    assert score(task, state, {"region": 1.0, "tool_use": 1.0})[0] == 0.0
    assert score(task, state, {"unlooked": 1.0})[0] == 1.0
    assert (overlap(episode), centre_hits(episode)) == (None, None)
    assert holds_gold(episode, {scan: (SIZE, SIZE)}) is False
    assert [box for shown in scene(episode, store).scans for box in shown.boxes] == []
    silent, good = await ended(store, scan), await ended(store, scan, CLOSER["zoom"])
    for others, agrees in (([silent, silent], 1.0), ([good, good], 0.5)):  # as one who made no call
        assert score_group(task, [*others, state], {"cca": 1.0})[-1][1]["cca"] == agrees


def test_a_slice_of_a_volume_is_a_look_though_it_is_shown_whole() -> None:
    section = {"plane": "acquired", "first": 3, "last": 3}
    shown = {"image": "v", "box": [0.0, 0.0, 64.0, 64.0], "section": section, "image_size": [64, 64]}
    call: dict[str, Any] = {
        "call": {"name": "show_slice", "arguments": {}},
        "status": "ok",
        "images": ["view"],
        "regions": [shown],
    }
    assert looked_at([call]) == {"v": [(0.0, 0.0, 64.0, 64.0)]}
    drawn = {**call, "call": {"name": "volume_of_region", "arguments": {}}, "measurements": [{"name": "volume"}]}
    assert looked_at([drawn]) == {}


async def test_an_experts_looks_at_phantoms_earn_what_they_did(gallery: Any, parts_of: Any, play: Any) -> None:
    store, tasks = gallery
    parts = parts_of(store)
    for task in tasks:
        for script in (looks(task), demonstrator.demonstration(task, True, np.random.default_rng(1))):
            made = await play(parts, task, script)
            used = bool(task.needs_tool and made.correct)
            expected = 1.0 * made.correct + 1.0 * used + 0.3 - 0.1 * len(made.calls)
            assert math.isclose(made.reward, expected) and made.rewards["tool_use"] == used
            if task.regions and task.kind != "measure":
                assert overlap(made) is not None
