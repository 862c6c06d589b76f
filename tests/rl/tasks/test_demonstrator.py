"""The demonstrator of a run's own questions: what it says with and without a look."""

from dataclasses import replace

import numpy as np

from agent.protocol import Turn
from rl.tasks.demonstrator import SIDE, answers_by_kind, demonstration
from rl.tasks.sets._pointing import look_into
from rl.tasks.task import Task

PLAIN = Task("set/1/half", "half", "Which half?", ("a",), "left", "closed", rules={"options": ["left", "right"]})
POINTED = replace(PLAIN, id="set/1/cell", kind="cell", answer="red", expert=(look_into((380, 380, 620, 620)),))
OTHER = replace(POINTED, id="set/2/cell", answer="white")
GUESSES = answers_by_kind([PLAIN, POINTED, OTHER])


def turns(task: Task, looks: bool, seed: int) -> list[Turn]:
    script = demonstration(task, looks, np.random.default_rng(seed), GUESSES)
    return [script(turn, "") for turn in range(2 if looks else 1)]


def test_it_looks_where_an_expert_looks_and_answers_right() -> None:
    call, answer = turns(POINTED, True, 0)
    assert [each.arguments["box"] for each in call.calls] == [[380, 380, 620, 620]]
    assert answer.answer == "red"


def test_without_a_look_it_guesses_what_an_expert_looks_for() -> None:
    assert {turns(POINTED, False, seed)[0].answer for seed in range(20)} == {"red", "white"}
    assert {turns(PLAIN, False, seed)[0].answer for seed in range(20)} == {"left"}


def test_it_looks_anywhere_where_no_expert_would() -> None:
    boxes = [turns(PLAIN, True, seed)[0].calls[0].arguments["box"] for seed in range(20)]
    assert len({tuple(box) for box in boxes}) > 10
    assert all(x2 - x1 == y2 - y1 == SIDE and x1 >= 0 and x2 <= 999 for x1, y1, x2, y2 in boxes)
