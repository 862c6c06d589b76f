"""turns: what going on costs. Give it a small negative weight, so that the shorter of two right ways earns more."""

from rl.rewards.registry import component
from rl.rollout.finished import Played
from rl.tasks.task import Task


@component
def turns(task: Task, state: Played) -> float:
    """Number of turns after the first, which every episode needs."""
    return float(max(0, state.get("turns", 0) - 1))
