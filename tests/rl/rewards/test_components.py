"""Each component beyond the first four, worked by hand on made-up final states."""

from typing import Any, cast

import pytest

from agent.protocol import Turn, render_turn
from rl.rewards.compose import score, score_group
from rl.rewards.region import region
from rl.rewards.registry import component, components, group_component, group_components
from rl.rewards.repetition import repetition
from rl.rewards.turns import turns
from rl.rewards.unlooked import unlooked
from rl.rewards.unmended import unmended
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode
from rl.trajectories.looks import looked_at, overlap_and_union

Box = tuple[float, float, float, float]


def task(needs_tool: bool | None = True, regions: tuple[tuple[int, Box], ...] = ()) -> Task:
    return Task("t/1", "name", "What?", ("scan", "other"), "solid", "exact", needs_tool, regions)


def call(
    status: str = "ok",
    name: str = "zoom_in",
    box: Box = (30.0, 30.0, 60.0, 60.0),
    image: str = "scan",
    **arguments: Any,
) -> Any:
    regions = [{"image": image, "box": list(box), "label": None, "image_size": [100, 100]}]
    shown = {"text": "", "images": ["view"], "regions": regions}
    return {"call": {"name": name, "arguments": arguments}, "status": status, **shown}


def ended(answer: str | None = "solid", *calls: Any, turns: int = 1, said: tuple[str, ...] = ()) -> FinishedEpisode:
    transcript = [{"role": "policy", "text": text, "images": []} for text in said]
    outcome = "abstained" if answer is None else "answered"
    state = {"answer": answer, "calls": list(calls), "turns": turns, "outcome": outcome, "transcript": transcript}
    return cast(FinishedEpisode, state)


@pytest.mark.parametrize(
    ("needs_tool", "state", "value"),
    [
        (True, ended(), 1.0),
        (True, ended("cystic"), 0.0),  # else a call would pay for a wrong answer
        (True, ended("solid", call()), 0.0),
        (True, ended("solid", call("retry")), 1.0),
        (True, ended("solid", call("failed"), call("failed")), 1.0),
        (True, ended(None), 0.0),  # "cannot tell" is no guess
        (False, ended(), 0.0),
        (None, ended(), 0.0),  # nobody knows whether it needed a look
    ],
)
def test_unlooked(needs_tool: bool | None, state: FinishedEpisode, value: float) -> None:
    assert unlooked(task(needs_tool), state) == value


@pytest.mark.parametrize(
    ("calls", "value"),
    [
        ((), 0.0),
        (("ok",), 0.0),
        (("failed",), 1.0),
        (("retry",), 1.0),
        (("retry", "ok"), 0.0),  # mended
        (("ok", "failed"), 1.0),
        (("failed", "failed", "ok"), 0.0),
    ],
)
def test_unmended(calls: tuple[str, ...], value: float) -> None:
    assert unmended(task(), ended("solid", *(call(status) for status in calls))) == value
    assert unmended(task(), ended(None, *(call(status) for status in calls))) == 0.0


def test_another_tool_does_not_mend_the_one_that_failed() -> None:
    assert unmended(task(), ended("solid", call("failed", "measure_distance"), call("ok", "zoom_in"))) == 1.0


def test_turns_count_from_the_second() -> None:
    assert [turns(task(), ended(turns=number)) for number in (0, 1, 2, 5)] == [0.0, 0.0, 1.0, 4.0]


def thought(words: str) -> str:
    return render_turn(Turn(words, answer="solid"))


ONCE = " ".join(f"w{number}" for number in range(23))  # with "solid" 24 words: 21 sequences of four


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ((), 0.0),
        ((thought("I can see it."), thought("I can see it.")), 0.0),  # 4 sequences: too few to tell
        ((thought(ONCE),), 0.0),
        ((thought(ONCE + " w0 w1 w2 w3 w4 w5"),), 1 / 3),  # 27 sequences, 3 of them before: 0.11
        ((thought(ONCE), thought(ONCE)), 2 / 3),  # a half
        ((thought(ONCE),) * 3, 1.0),  # two thirds
        ((thought("look " * 40),), 1.0),
        (("no turn at all " * 20,), 1.0),  # a turn that cannot be read is read as it is
    ],
)
def test_repetition_in_four_levels(said: tuple[str, ...], level: float) -> None:
    assert repetition(task(), ended(said=said)) == pytest.approx(level)


@pytest.mark.parametrize(
    ("boxes", "level"),
    [((1,), 0.0), ((1, 2), 0.0), ((1, 2, 3, 4, 5, 6, 7, 1), 1 / 3), ((1, 1), 2 / 3), ((1, 1, 1), 1.0)],
)  # shares of 0, 0, 1/8, 1/2, 2/3
def test_calls_that_repeat_each_other(boxes: tuple[int, ...], level: float) -> None:
    assert repetition(task(), ended("solid", *(call(x=x) for x in boxes))) == pytest.approx(level)


GOLD = ((1, (10.0, 10.0, 20.0, 20.0)),)


@pytest.mark.parametrize(
    ("calls", "value"),
    [
        ((), 0.0),
        ((call(box=(10, 10, 20, 20)),), 1.0),
        ((call(box=(10, 10, 30, 20)),), 0.5),  # 100 of 200
        ((call(box=(10, 10, 18, 20)), call(box=(12, 10, 20, 20))), 1.0),  # two parts
        ((call(box=(10, 10, 20, 20)), call(box=(50, 50, 60, 60))), 0.5),  # a second look that misses
        ((call(box=(10, 10, 20, 20)), call(box=(10, 10, 20, 20))), 1.0),
        ((call(box=(0, 0, 50, 100)),), 0.02),  # a half of the image
        ((call(box=(0, 0, 100, 100)),), 0.0),  # the whole image once more is no look
        ((call(box=(12, 12, 18, 18)),), 0.0),  # too small to show anything
        ((call("failed", box=(10, 10, 20, 20)),), 0.0),
        ((call(box=(10, 10, 20, 20), image="other"),), 0.0),
        ((call(name="mark_regions", box=(10, 10, 20, 20)),), 0.0),  # drawn, not looked at
        ((call(name="measure_distance", box=(10, 10, 20, 20)),), 0.0),
    ],
)
def test_region(calls: tuple[Any, ...], value: float) -> None:
    assert region(task(regions=GOLD), ended("solid", *calls)) == pytest.approx(value)
    assert region(task(regions=GOLD), ended("cystic", *calls)) == 0.0  # gated on the right answer
    assert region(task(), ended("solid", *calls)) == 0.0  # no gold region


def test_two_gold_regions_on_two_images() -> None:
    both = (*GOLD, (2, (0.0, 0.0, 10.0, 10.0)))
    one = ended("solid", call(box=(10, 10, 20, 20)))
    assert region(task(regions=both), one) == pytest.approx(0.5)
    assert looked_at(one["calls"]) == {"scan": [(10.0, 10.0, 20.0, 20.0)]}


def test_areas_of_boxes_that_overlap_are_counted_once() -> None:
    assert overlap_and_union([(0, 0, 4, 4), (2, 2, 6, 6)], [(3, 3, 5, 5)]) == (4.0, 28.0)  # 16 + 16 - 4
    assert overlap_and_union([], []) == (0.0, 0.0)


def test_a_group_component_sees_the_group_and_is_logged_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    held = dict(group_components())

    def agreement(task: Task, states: Any) -> list[float]:
        said = [state["answer"] for state in states]
        return [said.count(each) / len(said) for each in said]

    try:
        group_component(agreement)
        scored = score_group(
            task(), [ended("solid"), ended("solid"), ended("cystic")], {"answer": 1.0, "agreement": 3.0}
        )
        assert [reward for reward, _ in scored] == [pytest.approx(3.0), pytest.approx(3.0), pytest.approx(1.0)]
        assert scored[2][1] == {"answer": 0.0, "agreement": pytest.approx(1 / 3)}
        assert score(task(), ended("solid"), {"agreement": 1.0})[0] == 1.0  # a group of one
    finally:
        for name in set(group_components()) - set(held):
            cast(dict[str, Any], group_components()).pop(name)


def test_a_second_component_of_one_name_is_refused() -> None:
    def answer(task: Task, state: FinishedEpisode) -> float:
        return 1.0

    with pytest.raises(ValueError, match="second reward component named 'answer'"):
        component(answer)
    assert components()["answer"] is not answer
