"""calls: what looking costs. Give it a small negative weight, so that a look which does not help does not pay."""

from rl.rewards.registry import component
from rl.rollout.finished import Played
from rl.tasks.task import Task


@component
def calls(task: Task, state: Played) -> float:
    """Number of calls."""
    return float(len(state.get("calls", [])))
