"""Held-out evaluation on the served graph: one condition at a time, greedy, every episode kept.

Four conditions: `no_tools` (the base, no tool in its prompt), `tools_untrained` (the base with the tool prompt),
`warmup`, and `trained`. All answer the same test tasks, so that their differences are paired.
"""

from collections.abc import Sequence

from tqdm import tqdm

from agent.policies.policy import Policy
from rl.rollout import RunParts, episodes
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from rl.trajectories.store import TrajectoryStore

CONDITIONS = ("no_tools", "tools_untrained", "warmup", "trained")


async def evaluate(
    parts: RunParts, policy: Policy, tasks: Sequence[Task], condition: str, kept: TrajectoryStore
) -> list[Trajectory]:
    """One trajectory per task; those that `kept` holds already are not asked again."""
    done = {trajectory.task["id"]: trajectory for trajectory in kept}
    missing = [task for task in tasks if task.id not in done]
    concurrency = parts.config.evaluate.concurrency
    with tqdm(total=len(tasks), initial=len(tasks) - len(missing), desc=f"evaluate {condition}", unit="task") as bar:
        async for trajectory in episodes(parts, missing, lambda _: policy, condition, concurrency):
            kept.add(trajectory)
            done[trajectory.task["id"]] = trajectory
            bar.update()
    kept.seal()
    return [done[task.id] for task in tasks]
