"""Rewards worked by hand: looking pays only with the right answer, and only where it was needed."""

from typing import Any, cast

import pytest

from rl.config import Rl
from rl.rewards.compose import UnscoredError, score
from rl.rewards.registry import components
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode

WEIGHTS = {"answer": 1.0, "tool_use": 1.0, "format": 0.1, "calls": -0.05}


def task(needs_tool: bool | None = True) -> Task:
    return Task("t/1", "name", "What?", ("a",), "solid", "exact", needs_tool)


def ended(answer: str | None = "solid", calls: tuple[str, ...] = (), faults: int = 0, outcome: str = "answered") -> Any:
    """The final state of an episode with calls of these statuses."""
    region = {"image": "a", "box": [30.0, 30.0, 60.0, 60.0], "image_size": [100, 100]}
    view = {"text": "", "images": ["view"], "regions": [region]}
    results = [{"call": {"name": "zoom_in", "arguments": {}}, "status": status, **view} for status in calls]
    return cast(FinishedEpisode, {"answer": answer, "calls": results, "faults": faults, "outcome": outcome})


@pytest.mark.parametrize(
    ("needs_tool", "state", "reward"),
    [
        (True, ended(calls=("ok",)), 2.05),  # 1 + 1 + 0.1 - 0.05
        (True, ended(calls=("ok", "ok")), 2.0),
        (True, ended(), 1.1),  # a lucky guess
        (True, ended("cystic", ("ok",)), 0.05),  # looked for its own sake: 0.1 - 0.05
        (True, ended("cystic", ("ok",) * 4), -0.1),  # 0.1 - 0.2
        (True, ended("cystic"), 0.1),
        (True, ended(calls=("retry", "ok")), 1.9),  # 1 + 1 - 0.1, no format
        (True, ended(calls=("retry",)), 0.95),  # a call that did not run is no look
        (True, ended(calls=("failed",)), 0.95),
        (True, ended(faults=1), 1.0),
        (False, ended(calls=("ok",)), 1.05),  # an unneeded look earns nothing and costs its call
        (False, ended(), 1.1),
        (None, ended(calls=("ok",)), 1.05),  # nobody knows whether it was needed: a call costs, and earns nothing
        (True, ended(None, outcome="abstained"), 0.1),
        (True, ended(None, ("ok",), outcome="too_many_turns"), -0.05),
        (True, ended(None, ("ok",), outcome="context_full"), -0.05),
    ],
)
def test_rewards(needs_tool: bool | None, state: Any, reward: float) -> None:
    assert score(task(needs_tool), state, WEIGHTS)[0] == pytest.approx(reward)


def test_every_component_is_logged() -> None:
    _, components = score(task(), ended(calls=("ok", "ok")), WEIGHTS)
    assert components == {"answer": 1.0, "tool_use": 1.0, "format": 1.0, "calls": 2.0}


def test_the_answer_is_logged_also_where_it_weighs_nothing() -> None:
    assert score(task(), ended("cystic"), {"format": 1.0}) == (1.0, {"answer": 0.0, "format": 1.0})


@pytest.mark.parametrize("calls", [("bug",), ("ok", "bug"), ("bug", "ok")])
def test_an_episode_with_a_bug_of_ours_is_refused_not_punished(calls: tuple[str, ...]) -> None:
    with pytest.raises(UnscoredError, match=r"t/1 in which zoom_in had a bug"):
        score(task(), ended(calls=calls), WEIGHTS)


def test_an_unknown_component_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"\['beauty'\], expected some of \['answer', 'calls', 'cca', 'format',"):
        score(task(), ended(), {"answer": 1.0, "beauty": 1.0})


def test_the_default_rewards_are_components_and_calling_costs() -> None:
    weights = Rl().rewards
    assert set(weights) <= set(components())
    looked, guessed = (score(task(False), ended(calls=calls), weights)[0] for calls in (("ok",), ()))
    assert looked < guessed
