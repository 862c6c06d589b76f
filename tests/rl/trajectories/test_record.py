"""What a trajectory keeps of an episode."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agent.chat.record.ledger import Ledger
from agent.policies.policy import Completion
from rl.rollout.run_parts import RunParts
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory, record
from tests.ledgers import said, shown
from tests.rl.scripts import looks
from tools.images.store import ImageStore


@pytest.fixture
def task(gallery: tuple[ImageStore, list[Task]]) -> Task:
    return next(task for task in gallery[1] if task.kind == "compare")


async def test_a_trajectory_tells_its_episode(
    gallery: tuple[ImageStore, list[Task]], task: Task, parts_of: Callable[..., RunParts], play: Callable[..., Any]
) -> None:
    trajectory = await play(parts_of(gallery[0]), task, looks(task), id="one")
    assert (trajectory.id, trajectory.stage, trajectory.answer) == ("one", "test", task.answer)
    assert (trajectory.outcome, trajectory.turns, trajectory.faults) == ("answered", 2, 0)
    assert trajectory.images[0] == task.images[0] and len(trajectory.images) == 3
    assert [message["role"] for message in trajectory.transcript] == ["user", "policy", "tools", "tools", "policy"]
    assert [call["call"]["name"] for call in trajectory.calls] == ["zoom_in", "zoom_in"]
    assert trajectory.rewards == {"answer": 1.0, "tool_use": 1.0, "format": 1.0, "calls": 2.0}
    assert trajectory.correct
    assert trajectory.versions == ["script"]
    assert Task.from_plain(trajectory.task) == task


async def test_a_trajectory_comes_back_from_json_as_it_was(
    gallery: tuple[ImageStore, list[Task]], task: Task, parts_of: Callable[..., RunParts], play: Callable[..., Any]
) -> None:
    trajectory = await play(parts_of(gallery[0]), task, looks(task))
    again = Trajectory.from_plain(json.loads(json.dumps(trajectory.to_plain())))
    assert Ledger.from_plain(again.rows[0]) == Ledger.from_plain(trajectory.rows[0])
    assert json.dumps(again.to_plain()) == json.dumps(trajectory.to_plain())


def test_versions_are_named_once_in_order() -> None:
    ledger = Ledger((1,))
    for versions in (("a",), ("a", "b"), ("b",)):
        ledger = shown(said(ledger, Completion((5,), (-0.5,), "stop", versions, None)), [6])
    plain = {"images": [], "rows": [ledger.to_plain()], "transcript": [], "outcome": None, "answer": None}
    state: Any = {**plain, "untrained": [], "calls": [], "turns": 3, "faults": 0, "versions": ["a", "b"]}
    made = record("r", "rl", Task("t", "k", "?", (), "a", "exact"), state, {"answer": 0.0}, 0.0, 0.1)
    assert (made.versions, made.correct, made.answer) == (["a", "b"], False, None)
