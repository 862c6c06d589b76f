"""Boxes by overlap, worked by hand."""

import pytest

from rl.graders.box import box, read_box

GOLD = "[100, 100, 300, 300]"


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("[100, 100, 300, 300]", 1.0),
        ("100, 100, 300, 300", 1.0),
        ("100 100 300 300.", 1.0),
        ("(100, 100, 300, 300)", 1.0),
        ("The box is [100, 100, 300, 300].", 1.0),
        ("[300, 300, 100, 100]", 1.0),  # corners in the wrong order
        ("[100.0, 100.5, 300, 300]", 1.0),
        ("[100, 100, 300, 200]", 1.0),  # half of it: 20000 / 40000 = 0.5
        ("[100, 100, 300, 199]", 0.0),  # 0.495
        ("[100, 100, 500, 300]", 1.0),  # twice it: 0.5
        ("[100, 100, 501, 300]", 0.0),
        ("[200, 100, 400, 300]", 0.0),  # 20000 / 60000
        ("[0, 0, 999, 999]", 0.0),  # the whole image
        ("[100, 100, 300, 300] [600, 600, 700, 700]", 0.0),  # two boxes
        ("[100, 100, 300]", 0.0),
        ("[100, 100, 300, 300, 400]", 0.0),
        ("[100, 100, 300, 1300]", 0.0),
        ("[-1, 100, 300, 300]", 0.0),
        ("[0.1, 0.1, 0.3, 0.3]", 0.0),  # another frame
        ("[100, 100, 100, 100]", 0.0),
        ("upper left", 0.0),
        ("", 0.0),
        ("[100, 100, 300, 300] " * 50, 0.0),
    ],
)
def test_overlap(answer: str, right: float) -> None:
    assert box(answer, GOLD) == right


def test_the_threshold_is_a_rule() -> None:
    assert box("[200, 100, 400, 300]", GOLD, iou=0.33) == 1.0


def test_reading() -> None:
    assert read_box("[5, 6, 1, 2]") == (1, 2, 5, 6)
    assert read_box("[0, 0, 1000, 500]") == (0, 0, 999, 500)  # Qwen3-VL's last coordinate
    assert read_box("[0, 0, 1001, 500]") is None


@pytest.mark.parametrize("gold", ["", "upper left", "[1, 2, 3]", "[5, 5, 5, 9]"])
def test_a_gold_answer_that_is_no_box_is_a_broken_task(gold: str) -> None:
    with pytest.raises(ValueError, match="expected a box"):
        box("[1, 2, 3, 4]", gold)
