"""The demonstrator of a run's own questions: as imperfect as the phantoms' one, so that reinforcement has to find when
to look.

It looks in a share of its episodes chosen without regard to the question: by the task's expert calls, or, where it has
none, anywhere. After a look it answers right. Without one it answers right where no expert would look, and guesses
elsewhere: the gold answer of any question of the kind.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from agent.policies.scripted import Script
from agent.protocol import Turn
from rl.tasks.task import Task
from tools.calls import ToolCall
from tools.geometry import SCALE

LOOK = "I must look closer."
"""What it thinks before a look."""
SEEN = "I can see it."
"""And where nothing more is to be seen."""
GRID = 20
"""Its coordinates are multiples of this, of 999: a small policy has 50 coordinate tokens to learn, not a thousand."""
SIDE = 240
"""Of the box that it looks at anywhere, in 0-999 units."""


def answers_by_kind(tasks: Iterable[Task]) -> Mapping[str, Sequence[str]]:
    """Every gold answer of each kind: what there is to guess."""
    found: dict[str, list[str]] = defaultdict(list)
    for task in tasks:
        found[task.kind].append(task.answer)
    return found


def demonstration(task: Task, looks: bool, rng: np.random.Generator, guesses: Mapping[str, Sequence[str]]) -> Script:
    """The turns of one episode; `looks` says whether it calls tools first."""
    calls = tuple(ToolCall.model_validate(call) for call in task.expert) or (_anywhere(rng),)
    guessed = str(rng.choice(guesses[task.kind])) if task.expert else task.answer

    def play(turn: int, observed: str) -> Turn:
        del observed
        if looks and turn == 0:
            return Turn(LOOK, calls=calls)
        return Turn(task.reading or SEEN, answer=task.answer if looks else guessed)

    return play


def _anywhere(rng: np.random.Generator) -> ToolCall:
    left, top = (GRID * int(value) for value in rng.integers(0, (SCALE - SIDE) // GRID + 1, size=2))
    return ToolCall(name="zoom_in", arguments={"image": 1, "box": [left, top, left + SIDE, top + SIDE]})
