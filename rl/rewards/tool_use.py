"""tool_use: using a tool, gated on the right answer, as in MedVistaGym (arXiv 2601.07107). Never calling alone.

Only where the question is known to need a tool. Where nobody knows, a call that changed nothing and one that found the
answer look alike, so paying for either would teach to call for the pay.
"""

from rl.rewards.answer import answer
from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode
from rl.trajectories.looks import found_something


@component
def tool_use(task: Task, state: FinishedEpisode) -> float:
    """1 for the right answer, reached by a call that could tell something, to a question known to need one."""
    used = task.needs_tool is True and found_something(state.get("calls", []))
    return float(used and answer(task, state) == 1.0)
