"""tool_use: calling a tool, gated on the right answer, as in MedVistaGym (arXiv 2601.07107). Never calling alone."""

from agent.turn import EpisodeState
from rl.rewards.answer import answer
from rl.rewards.registry import component
from rl.tasks.task import Task


@component
def tool_use(task: Task, state: EpisodeState) -> float:
    """1 for the right answer reached by a call that ran, to a question that needs one.

    A question that needs no tool earns nothing by a call; where nobody knows whether it does (`needs_tool` None), a
    call counts.
    """
    ran = any(call["status"] == "ok" for call in state.get("calls", []))
    return float(ran and task.needs_tool is not False and answer(task, state) == 1.0)
