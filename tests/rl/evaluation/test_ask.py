"""Evaluation asks every task once, over all tries."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent.policies.scripted import ScriptedPolicy
from rl.evaluation.ask import ask_all
from rl.rollout.run_parts import RunParts
from rl.rollout.schedule import Job
from rl.tasks.task import Task
from rl.trajectories.store import TrajectoryStore
from tests.rl.scripts import answers
from tools.images.store import ImageStore


async def test_what_was_answered_before_a_kill_is_not_asked_again(
    gallery: tuple[ImageStore, list[Task]], parts_of: Callable[..., RunParts], tmp_path: Path
) -> None:
    parts, kept = parts_of(gallery[0]), TrajectoryStore(tmp_path / "trained")
    first = ScriptedPolicy(answers("solid"), parts.family, version="first")
    await ask_all(parts, first, [Job(task) for task in gallery[1][:4]], "trained", kept)
    second = ScriptedPolicy(answers("cystic"), parts.family, version="second")
    found = await ask_all(
        parts, second, [Job(task) for task in gallery[1]], "trained", TrajectoryStore(tmp_path / "trained")
    )
    assert [each.task["id"] for each in found] == [task.id for task in gallery[1]]  # in the tasks' order
    assert [each.versions for each in found] == [["first"]] * 4 + [["second"]] * 6
    assert {each.stage for each in found} == {"trained"}
    assert len(list(TrajectoryStore(tmp_path / "trained"))) == 10


async def test_an_answer_is_right_by_its_own_tasks_rule(
    gallery: tuple[ImageStore, list[Task]], parts_of: Callable[..., RunParts], tmp_path: Path
) -> None:
    parts = parts_of(gallery[0])
    known = next(task for task in gallery[1] if task.kind == "side")
    tasks = [known, replace(known, id="other", answer="elsewhere")]
    policy = ScriptedPolicy(answers(known.answer), parts.family)
    found = await ask_all(parts, policy, [Job(task) for task in tasks], "no_tools", TrajectoryStore(tmp_path))
    assert [each.correct for each in found] == [True, False]
