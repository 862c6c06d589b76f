"""What is asked of a chest x-ray, from boxes worked by hand."""

from typing import Any

from rl.tasks.sets.chest_xrays import questions

SIZE = (1000, 1000)
LUNGS = {"right": [150.0, 200.0, 300.0, 600.0], "left": [550.0, 200.0, 300.0, 600.0]}


def asked(boxes: dict[str, list[float]] = LUNGS, view: str = "PA") -> dict[str, Any]:
    return dict(questions(boxes, view, SIZE, "some image"))


def test_boxes_of_both_lungs_the_side_and_the_view() -> None:
    found = asked()
    assert found["left_lung_box"]["answer"] == "[549, 200, 849, 799]"  # 0.55*999 = 549.45, 0.85*999 = 849.15
    assert found["right_lung_box"]["answer"] == "[150, 200, 450, 799]"
    side = found["side"]["answer"]
    assert found[f"{side}_lung_box"]["answer"] in found["side"]["question"]
    assert found["view"]["answer"] == "PA" and asked(view="AP Supine")["view"]["answer"] == "AP"


def test_a_lung_that_fills_its_half_is_not_asked_for() -> None:
    assert "left_lung_box" not in asked({**LUNGS, "left": [520.0, 100.0, 450.0, 800.0]})  # 360,000 / 500,000 = 0.72


def test_lungs_that_lie_close_together_tell_no_side() -> None:
    assert "side" not in asked({**LUNGS, "left": [350.0, 200.0, 300.0, 600.0]})  # centres 0.2 of the width apart


def test_an_unknown_view_is_not_asked_for() -> None:
    assert "view" not in asked(view="L")
