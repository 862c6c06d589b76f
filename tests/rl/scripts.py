"""Turns that tests let a scripted policy write."""

from agent.protocol import Turn, render_turn
from rl.tasks.demonstrator import SEEN
from rl.tasks.phantoms.tasks import first_thought
from rl.tasks.task import Task
from tools.calls import ToolCall


def looks(task: Task, answer: str | None = None) -> list[str]:
    """The script of an expert: its calls, then the answer."""
    calls = tuple(ToolCall.model_validate(call) for call in task.expert)
    said = task.answer if answer is None else answer
    return [render_turn(Turn(first_thought(task.kind), calls=calls)), render_turn(Turn(SEEN, answer=said))]


def answers(text: str) -> list[str]:
    """The script of somebody who answers without looking."""
    return [render_turn(Turn(SEEN, answer=text))]
