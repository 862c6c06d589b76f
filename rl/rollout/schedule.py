"""Many episodes at once: each at its own pace, so many at a time, and what is lost named.

Nobody waits for the slowest: the next episode begins as soon as one ends, so a slow tool delays its own episode alone
(`benchmarks/rollout_schedule.py` measures by how much lockstep rollouts are slower). An episode whose policy stays lost
is given back as `LostEpisode`, so that a group of samples keeps its other members. How one episode is asked is the
caller's.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from agent.policies.policy import PolicyError
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory


@dataclass(frozen=True)
class Job:
    """One episode to be asked."""

    task: Task
    sample: int = 0
    """Which of several episodes of its task, from 0."""
    id: str = ""
    """Of its trajectory; empty: a new one."""
    seed: int | None = None
    """Of its sampling; None: the policy's own."""
    deadline_s: float | None = None
    """Seconds that it may take, waiting for a lost server included; None: as long as it takes."""


@dataclass(frozen=True)
class LostEpisode:
    """An episode that nobody could finish."""

    job: Job
    reason: str


Ask = Callable[[Job], Awaitable[Trajectory]]
Finished = Trajectory | LostEpisode


async def run_jobs(
    jobs: Iterable[Job], ask: Ask, concurrency: int, lost: tuple[type[Exception], ...] = (PolicyError,)
) -> AsyncGenerator[Finished, None]:
    """Each episode as it ends, `concurrency` at a time; a job is taken from `jobs` only when it can begin.

    An error of the types in `lost` becomes a `LostEpisode`; any other ends all that goes on and is raised.
    """
    waiting = iter(jobs)
    ended: asyncio.Queue[Finished | None] = asyncio.Queue()

    async def work() -> None:
        for job in waiting:
            try:
                ended.put_nowait(await ask(job))
            except lost as reason:
                ended.put_nowait(LostEpisode(job, str(reason)))

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    everybody = asyncio.gather(*workers)

    def all_ended(done: "asyncio.Future[list[None]]") -> None:
        _ = done.cancelled() or done.exception()  # seen: who left early does not ask for it
        ended.put_nowait(None)

    everybody.add_done_callback(all_ended)  # also at the first failure
    try:
        while (finished := await ended.get()) is not None:
            yield finished
        await everybody
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


@dataclass
class Group:
    """The episodes of one task."""

    task: Task
    trajectories: list[Trajectory] = field(default_factory=list[Trajectory])
    """Those that were finished, by sample."""
    lost: list[LostEpisode] = field(default_factory=list[LostEpisode])


async def groups(
    tasks: Sequence[Task],
    samples: int,
    ask: Ask,
    concurrency: int,
    kept: Mapping[tuple[str, int], Trajectory] | None = None,
) -> AsyncGenerator[Group, None]:
    """The groups of `samples` episodes of each task, each when its last has ended.

    `kept` holds, by task id and sample, what an earlier try has finished: it counts, and only what is missing is asked.
    A group whose policy was lost for some is given with the others: a half-finished group is not wasted.
    """
    found = {task.id: Group(task) for task in tasks}
    missing: list[Job] = []
    for task in tasks:
        for sample in range(samples):
            if kept and (task.id, sample) in kept:
                found[task.id].trajectories.append(kept[task.id, sample])
            else:
                missing.append(Job(task, sample))
    for group in found.values():
        if len(group.trajectories) == samples:
            yield group
    async with aclosing(run_jobs(missing, ask, concurrency)) as endings:
        async for ending in endings:
            group = found[_task_of(ending)]
            if isinstance(ending, LostEpisode):
                group.lost.append(ending)
            else:
                group.trajectories.append(ending)
            if len(group.trajectories) + len(group.lost) == samples:
                group.trajectories.sort(key=lambda each: each.sample)
                yield group


def _task_of(ending: Finished) -> str:
    return ending.job.task.id if isinstance(ending, LostEpisode) else str(ending.task["id"])
