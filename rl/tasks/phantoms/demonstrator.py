"""The demonstrator that warm-up learns from: deliberately imperfect, so that reinforcement has something to find.

It calls tools in a share of its episodes chosen without regard to the question, looks with boxes of varying size and
place, and otherwise guesses. What it cannot know, it does not say: after a measurement it reads out the tool's text.
"""

import re

import numpy as np

from agent.policies.scripted import Script
from agent.protocol import Turn
from rl.tasks.demonstrator import SEEN
from rl.tasks.phantoms.expert import zoom_call
from rl.tasks.phantoms.tasks import first_thought, guess
from rl.tasks.task import Task
from tools.calls import ToolCall

_MEASURED = re.compile(r"Distance: ([\d.]+ mm)\.")
SIDES = (120, 120, 120, 140)
"""Sides of the boxes that it looks at, in 0-999 units."""
JITTER = 2.0
"""Standard deviation, in pixels, of where it looks around a lesion's centre."""


def demonstration(task: Task, looks: bool, rng: np.random.Generator) -> Script:
    """The turns of one episode; `looks` says whether it calls tools first."""
    calls = _calls(task, rng)

    def play(turn: int, observed: str) -> Turn:
        if looks and turn == 0:
            return Turn(first_thought(task.kind), calls=calls)
        if not looks:
            return Turn(SEEN, answer=guess(rng, task))
        measured = _MEASURED.search(observed)
        return Turn(task.reading, answer=measured[1] if measured else task.answer)

    return play


def _calls(task: Task, rng: np.random.Generator) -> tuple[ToolCall, ...]:
    expert = tuple(ToolCall.model_validate(call) for call in task.expert)
    if task.kind == "measure":
        return expert
    jittered: list[ToolCall] = []
    for _, box in task.regions:
        x, y = ((box[side] + box[side + 2]) / 2 + rng.normal(0, JITTER) for side in (0, 1))
        jittered.append(zoom_call(float(x), float(y), int(rng.choice(SIDES))))
    return tuple(jittered)
