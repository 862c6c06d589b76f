"""new_reward: worked by hand on made-up final states."""

from typing import Any

import pytest

from rl.rewards.compose import score
from rl.tasks.task import Task

TASK = Task("t/1", "name", "What?", ("scan",), "solid", "exact")


@pytest.mark.parametrize(("answer", "turns", "value"), [("solid", 2, 1.0), ("solid", 3, 0.0), ("cystic", 1, 0.0)])
def test_what_it_pays(answer: str, turns: int, value: float) -> None:
    state: Any = {"answer": answer, "turns": turns, "calls": [], "outcome": "answered", "transcript": []}
    reward, components = score(TASK, state, {"new_reward": 0.5})
    assert (components["new_reward"], reward) == (value, 0.5 * value)
