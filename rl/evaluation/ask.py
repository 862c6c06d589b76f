"""Tasks asked of a policy through the graph it serves, every episode kept, so that none is asked twice."""

import hashlib
from collections.abc import Sequence

from tqdm import tqdm

from agent.policies.policy import Policy, Sampling
from rl.rollout.run_parts import RunParts
from rl.rollout.schedule import Job, played
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from rl.trajectories.store import TrajectoryStore


async def ask_all(
    parts: RunParts,
    policy: Policy | None,
    jobs: Sequence[Job],
    stage: str,
    kept: TrajectoryStore,
    sampling: Sampling | None = None,
    concurrency: int | None = None,
) -> list[Trajectory]:
    """The trajectory of every job, in their order; those that `kept` holds already are not asked again.

    An episode is known by its task and sample, so that whatever a kill interrupts, each is asked until it is finished
    and then never again. `policy`: None for the graph's own chat model. Raises PolicyError where the policy is lost:
    what was finished is kept.
    """
    done = {(str(each.task["id"]), each.sample): each for each in kept}
    missing = [job for job in jobs if (job.task.id, job.sample) not in done]
    at_once = concurrency or parts.config.evaluate.concurrency

    async def ask(job: Job) -> Trajectory:
        return await parts.play(job, policy, stage, sampling)

    with tqdm(total=len(jobs), initial=len(jobs) - len(missing), desc=f"evaluate {stage}", unit="episode") as bar:
        async for trajectory in played(missing, ask, at_once, lost=()):
            assert isinstance(trajectory, Trajectory)
            kept.add(trajectory)
            done[str(trajectory.task["id"]), trajectory.sample] = trajectory
            bar.update()
    kept.seal()
    return [done[job.task.id, job.sample] for job in jobs]


def sampled_jobs(tasks: Sequence[Task], samples: int, seed: int, deadline_s: float | None) -> list[Job]:
    """`samples` jobs for each task; what each samples by follows from the seed, the task and the sample's number."""
    return [
        Job(task, sample, seed=_stream(f"{seed}/{task.id}/{sample}"), deadline_s=deadline_s)
        for task in tasks
        for sample in range(samples)
    ]


def _stream(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) >> 1
