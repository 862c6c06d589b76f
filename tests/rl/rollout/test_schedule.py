"""Episodes at their own pace: slow ones delay nobody, lost ones are named, groups keep what is finished."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from langchain_core.tools import tool

from agent.policies.policy import Completion, PolicyError, Sampling
from agent.policies.retry import RetryingPolicy
from agent.policies.scripted import ScriptedPolicy
from agent.policies.served import ContextFull
from agent.protocol import Turn, render_turn
from rl.rollout.run_parts import RunParts
from rl.rollout.schedule import Job, LostEpisode, groups, run_jobs
from rl.tasks.task import Task
from rl.trajectories.finished_episode import OUT_OF_TIME
from rl.trajectories.record import Trajectory
from tests.rl.scripts import answers
from tools.images.store import ImageStore
from tools.toolbox import ToolCall

Gallery = tuple[ImageStore, list[Task]]
TASKS = [Task(str(number), "k", "?", (), "a", "exact") for number in range(6)]


def finished(job: Job) -> Trajectory:
    return Trajectory(
        f"{job.task.id}/{job.sample}",
        "rl",
        job.task.to_plain(),
        "a",
        "answered",
        [],
        [{}],
        [],
        [],
        1,
        0,
        {"answer": 1.0},
        1.0,
        0.0,
        sample=job.sample,
    )


def taking(seconds: dict[str, float]) -> Callable[[Job], Awaitable[Trajectory]]:
    async def ask(job: Job) -> Trajectory:
        await asyncio.sleep(seconds.get(job.task.id, 0.0))
        return finished(job)

    return ask


async def test_a_slow_episode_delays_itself_alone() -> None:
    order = [each async for each in run_jobs(map(Job, TASKS), taking({"0": 0.2}), 2)]
    assert [each.task["id"] for each in order if isinstance(each, Trajectory)] == ["1", "2", "3", "4", "5", "0"]


async def test_a_job_is_taken_when_it_can_begin() -> None:
    begun: list[str] = []

    def jobs() -> Any:
        for task in TASKS:
            begun.append(task.id)
            yield Job(task)

    running = run_jobs(jobs(), taking(dict.fromkeys("012345", 0.05)), 2)
    await anext(running)
    assert len(begun) <= 4
    await running.aclose()
    taken = len(begun)
    await asyncio.sleep(0.2)
    assert len(begun) == taken < 6  # nobody goes on after the reader has left


async def test_what_is_lost_is_named_and_the_rest_goes_on() -> None:
    async def ask(job: Job) -> Trajectory:
        if job.task.id == "2":
            raise PolicyError("gone")
        return finished(job)

    found = [each async for each in run_jobs(map(Job, TASKS), ask, 3)]
    assert [each for each in found if isinstance(each, LostEpisode)] == [LostEpisode(Job(TASKS[2]), "gone")]
    assert len(found) == 6


async def test_an_error_that_is_no_loss_ends_all() -> None:
    asked = 0

    async def ask(job: Job) -> Trajectory:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        if job.task.id == "0":
            raise ValueError("a bug")
        return finished(job)

    with pytest.raises(ValueError, match="a bug"):
        async for _ in run_jobs((Job(TASKS[number % 6]) for number in range(10**6)), ask, 2):
            pass
    await asyncio.sleep(0.05)
    assert asked < 10


async def test_groups_keep_what_is_finished() -> None:
    asked: list[tuple[str, int]] = []

    async def ask(job: Job) -> Trajectory:
        asked.append((job.task.id, job.sample))
        if (job.task.id, job.sample) == ("1", 2):
            raise PolicyError("gone")
        return finished(job)

    kept = {("0", sample): finished(Job(TASKS[0], sample)) for sample in range(3)}
    kept |= {("1", 0): finished(Job(TASKS[1], 0))}
    found = {group.task.id: group async for group in groups(TASKS[:3], 3, ask, 2, kept)}
    assert sorted(asked) == [("1", 1), ("1", 2), ("2", 0), ("2", 1), ("2", 2)]
    samples = {name: [each.sample for each in group.trajectories] for name, group in found.items()}
    assert samples == {"0": [0, 1, 2], "1": [0, 1], "2": [0, 1, 2]}
    assert [lost.job.sample for lost in found["1"].lost] == [2]


class Shaky:
    """A policy that fails some times before it answers."""

    def __init__(self, policy: Any, failures: int, error: type[PolicyError] = PolicyError) -> None:
        self.policy, self.failures, self.error, self.asked = policy, failures, error, 0

    async def generate(self, token_ids: Sequence[int], images: Sequence[Any], sampling: Sampling) -> Completion:
        self.asked += 1
        if self.asked <= self.failures:
            raise self.error(f"failure {self.asked}")
        return await self.policy.generate(token_ids, images, sampling)


async def test_a_lost_server_is_asked_again_for_the_same_turn(
    gallery: Gallery, parts_of: Callable[..., RunParts]
) -> None:
    parts = parts_of(gallery[0])
    shaky = Shaky(ScriptedPolicy(answers("solid"), parts.family), failures=2)
    made = await parts.play(Job(gallery[1][0]), RetryingPolicy([shaky], tries=3, pause_s=0.001), "test")
    assert (made.outcome, made.turns, shaky.asked) == ("answered", 1, 3)
    with pytest.raises(PolicyError, match="failure 2"):
        await RetryingPolicy([Shaky(None, 9)], tries=2, pause_s=0.001).generate([], [], Sampling())
    full = Shaky(None, 9, ContextFull)
    with pytest.raises(ContextFull, match="failure 1"):
        await RetryingPolicy([full], tries=5, pause_s=0.001).generate([], [], Sampling())


async def test_the_next_server_takes_over_and_stays(gallery: Gallery, parts_of: Callable[..., RunParts]) -> None:
    parts = parts_of(gallery[0])
    dead, alive = Shaky(None, 10**9), Shaky(ScriptedPolicy(answers("solid"), parts.family), 0)
    policy = RetryingPolicy([dead, alive], pause_s=0.001)
    for task in gallery[1][:2]:
        assert (await parts.play(Job(task), policy, "test")).outcome == "answered"
    assert (dead.asked, alive.asked) == (1, 2)


async def test_a_deadline_keeps_what_was_done(gallery: Gallery, parts_of: Callable[..., RunParts]) -> None:
    @tool
    async def wait() -> str:
        """Wait."""
        await asyncio.sleep(30)
        return "done"

    parts = parts_of(gallery[0], [wait], episode={"turn_tokens": 128})
    turn = render_turn(Turn("I must look closer.", calls=(ToolCall(name="wait", arguments={}),)))
    policy = ScriptedPolicy([turn], parts.family)
    started = time.monotonic()
    made = await parts.play(Job(gallery[1][0], id="cut", deadline_s=1.5), policy, "test")
    assert time.monotonic() - started < 10
    assert (made.id, made.outcome, made.answer, made.turns, made.correct) == ("cut", OUT_OF_TIME, None, 1, False)
    assert [message["role"] for message in made.transcript] == ["user", "policy"] and made.rows[0]["sampled"]
    none = await parts.play(Job(gallery[1][0], deadline_s=0.0), policy, "test")
    assert (none.outcome, none.turns, none.rows[0]["ids"]) == (OUT_OF_TIME, 0, [])


async def test_each_episode_brings_its_policy_and_seed(gallery: Gallery, parts_of: Callable[..., RunParts]) -> None:
    parts = parts_of(gallery[0])
    seen: list[Sampling] = []

    class Noting:
        def __init__(self, text: str) -> None:
            self.policy = ScriptedPolicy(answers(text), parts.family)

        async def generate(self, token_ids: Any, images: Any, sampling: Sampling) -> Completion:
            seen.append(sampling)
            return await self.policy.generate(token_ids, images, sampling)

    async def ask(job: Job) -> Trajectory:
        return await parts.play(job, Noting(job.task.answer), "test", Sampling(temperature=0.7))

    jobs = [Job(task, seed=place) for place, task in enumerate(gallery[1])]
    found = [each async for each in run_jobs(jobs, ask, 4)]
    assert all(isinstance(each, Trajectory) and each.correct for each in found) and len(found) == 10
    assert {(each.temperature, each.max_tokens) for each in seen} == {(0.7, 32)}
    assert sorted(each.seed or 0 for each in seen) == list(range(10)) and all(each.banned for each in seen)
