"""format: whether the episode kept to the protocol from its first turn to its answer."""

from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode


@component
def format(task: Task, state: FinishedEpisode) -> float:
    """1 where every turn could be read, every call ran, and the episode ended with an answer or an abstention."""
    clean = not state.get("faults", 0) and all(call["status"] == "ok" for call in state.get("calls", []))
    return float(clean and state.get("outcome") in ("answered", "abstained"))
