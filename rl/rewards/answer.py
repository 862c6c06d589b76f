"""answer: how right the answer is, by the task's own grader."""

from rl.graders import grade
from rl.rewards.registry import component
from rl.rollout.finished import Played
from rl.tasks.task import Task


@component
def answer(task: Task, state: Played) -> float:
    """1 for the right answer; an abstention and no answer are 0."""
    return grade(task.grader, state.get("answer"), task.answer, task.rules)
