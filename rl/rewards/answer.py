"""answer: how right the answer is, by the task's own grader."""

from rl.graders import grade
from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode


@component
def answer(task: Task, state: FinishedEpisode) -> float:
    """1 for the right answer; an abstention and no answer are 0."""
    return grade(task.grader, state.get("answer"), task.answer, task.rules)
