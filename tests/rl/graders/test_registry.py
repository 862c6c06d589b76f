"""The common contract of all graders: gold is right, the wrong answer, silence and both at once are not."""

from typing import Any

import pytest

from rl.graders import grade, wrong_answer

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("exact", "cystic", {}),
    ("millimetres", "87.4 mm", {}),
    ("closed", "yes", {}),
    ("closed", "no", {"asks_normal": True}),
    ("closed", "upper left", {"options": ["upper left", "upper right", "left"]}),
    ("choice", "B", {"options": ["one", "two", "three"]}),
    ("choice", "three", {"options": ["one", "two", "three"]}),
    ("number", "3", {}),
    ("number", "0", {}),
    ("number", "40", {"tolerance": 0.1, "absolute": 1.0}),
    ("number", "1.5 cm", {"tolerance": 0.2}),
    ("box", "[100, 100, 300, 300]", {}),
    ("box", "[0, 0, 60, 60]", {"iou": 0.3}),
    ("open", "right lower lobe", {"accepted": ["RLL"]}),
    ("judge", "right lower lobe", {"question": "Where?"}),
]


@pytest.mark.parametrize(("name", "gold", "rules"), CASES)
def test_every_grader_tells_right_from_wrong(name: str, gold: str, rules: dict[str, Any]) -> None:
    assert grade(name, gold, gold, rules) == 1.0
    assert [grade(name, said, gold, rules) for said in ("", "  ", None)] == [0.0] * 3
    if name != "judge":  # which would ask a model
        wrong = wrong_answer(name, gold, rules)
        assert grade(name, wrong, gold, rules) == 0.0
        for both in (f"{gold} or {wrong}", f"{wrong} or {gold}", f"{gold} {wrong} " * 200):
            assert grade(name, both, gold, rules) == 0.0


@pytest.mark.parametrize("name", ["exact", "closed", "choice", "number", "box", "open"])
def test_a_rule_that_a_grader_does_not_know_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"rules \['colour'\]"):
        grade(name, "yes", "yes", {"colour": 1})
