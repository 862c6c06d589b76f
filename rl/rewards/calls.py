"""calls: what looking costs. Give it a small negative weight, so that a look which does not help does not pay."""

from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode


@component
def calls(task: Task, state: FinishedEpisode) -> float:
    """Number of calls."""
    return float(len(state.get("calls", [])))
