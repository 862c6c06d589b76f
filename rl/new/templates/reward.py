"""new_reward: what is paid for, and how a policy could earn it without being better."""

from rl.rewards.answer import answer
from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode

FEW = 2


@component
def new_reward(task: Task, state: FinishedEpisode) -> float:
    """1 for the right answer in few turns. Gated on the answer: else answering at once would pay."""
    return float(state.get("turns", 0) <= FEW and answer(task, state) == 1.0)
