"""What an episode earns, as small named functions of its task and final state; each in 0 to 1."""

from collections.abc import Callable

from agent.turn import EpisodeState
from rl.graders import grade
from rl.tasks.task import Task

Component = Callable[[Task, EpisodeState], float]


def answer(task: Task, state: EpisodeState) -> float:
    """1 for the right answer."""
    return grade(task.grader, state.get("answer"), task.answer, task.rules)


def format(task: Task, state: EpisodeState) -> float:
    """1 where every turn could be read, every call ran, and the episode ended with an answer or an abstention."""
    clean = not state.get("faults", 0) and all(call["status"] == "ok" for call in state.get("calls", []))
    return float(clean and state.get("outcome") in ("answered", "abstained"))


def tool_use(task: Task, state: EpisodeState) -> float:
    """1 for the right answer reached by a call that ran, to a question that needs one; never for calling alone.

    A question that needs no tool earns nothing by a call; where nobody knows whether it does (`needs_tool` None), a
    call counts, as in MedVistaGym (arXiv 2601.07107).
    """
    ran = any(call["status"] == "ok" for call in state.get("calls", []))
    return float(ran and task.needs_tool is not False and answer(task, state) == 1.0)


def calls(task: Task, state: EpisodeState) -> float:
    """Number of calls; give it a small negative weight, so that a look which does not help does not pay."""
    return float(len(state.get("calls", [])))


COMPONENTS: dict[str, Component] = {"answer": answer, "format": format, "tool_use": tool_use, "calls": calls}
