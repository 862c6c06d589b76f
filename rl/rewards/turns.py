"""turns: what going on costs. Give it a small negative weight, so that the shorter of two right ways earns more."""

from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode


@component
def turns(task: Task, state: FinishedEpisode) -> float:
    """Number of turns after the first, which every episode needs."""
    return float(max(0, state.get("turns", 0) - 1))
