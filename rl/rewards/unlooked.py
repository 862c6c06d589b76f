"""unlooked: a right answer to a question that only a look can answer, given without one: luck, not skill.

With a negative weight a lucky guess earns less than an honest look. A wrong guess is not counted: if it were, a call
would pay for a wrong answer too, and calling for its own sake would be learnt.
"""

from rl.rewards.answer import answer
from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode
from rl.trajectories.looks import found_something


@component
def unlooked(task: Task, state: FinishedEpisode) -> float:
    """1 where the question is known to need a tool, the answer is right, and no call could tell anything."""
    blind = task.needs_tool is True and not found_something(state.get("calls", []))
    return float(blind and answer(task, state) == 1.0)
