"""new_grader: what is right, what is not, and what every grader must keep to."""

import pytest

from rl.graders import grade, wrong_answer

GOLD = "left, right"


@pytest.mark.parametrize(
    ("answer", "score"), [(GOLD, 1.0), ("Right, left.", 1.0), ("left", 0.0), ("left, left, right", 0.0), ("", 0.0)]
)
def test_what_is_right(answer: str, score: float) -> None:
    assert grade("new_grader", answer, GOLD) == score


def test_gold_beside_another_answer_is_not_right() -> None:
    wrong = wrong_answer("new_grader", GOLD)
    said = (wrong, f"{GOLD} or {wrong}", f"{wrong} or {GOLD}")
    assert [grade("new_grader", each, GOLD) for each in said] == [0.0, 0.0, 0.0]
