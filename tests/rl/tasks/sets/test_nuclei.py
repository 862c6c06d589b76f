"""What is asked of an image of nuclei, from label images worked by hand."""

from typing import Any

import numpy as np
import pytest

from rl.tasks.sets.nuclei import nuclei_in, questions


def labelled(*boxes: tuple[int, int, int, int], size: int = 200) -> Any:
    """A label image with filled rectangles x1, y1, x2, y2."""
    labels = np.zeros((size, size), np.uint16)
    for name, (x1, y1, x2, y2) in enumerate(boxes, start=1):
        labels[y1:y2, x1:x2] = 3 * name  # labels need not follow each other
    return labels


def asked(*boxes: tuple[int, int, int, int], size: int = 200) -> dict[str, Any]:
    return dict(questions(nuclei_in(labelled(*boxes, size=size))))


def row(count: int, x: int, y: int, side: int = 10) -> list[tuple[int, int, int, int]]:
    """`count` squares below each other."""
    return [(x, y + 14 * each, x + side, y + 14 * each + side) for each in range(count)]


def test_objects_of_a_label_image() -> None:
    seen = nuclei_in(labelled((10, 20, 30, 50)))
    assert seen.areas.tolist() == [600] and seen.boxes == ((10.0, 20.0, 30.0, 50.0),)
    assert seen.centres.tolist() == [[20.0, 35.0]] and seen.size == (200, 200)


def test_four_on_the_upper_left_and_one_on_the_lower_right() -> None:
    found = asked(*row(4, 20, 10), (150, 150, 160, 160))
    assert found["count"]["answer"] == "5"
    assert found["halves"]["answer"] == "left" and found["densest_quadrant"]["answer"] == "upper left"
    assert found["densest_quadrant"]["regions"] == ((1, (0.0, 0.0, 100.0, 100.0)),)
    assert found["area"]["answer"] == "A"  # 500 of 40,000 pixels
    assert "largest_box" not in found  # all of one size


def test_the_largest_has_1_3_times_the_next_ones_area_and_is_whole() -> None:
    small = (150, 150, 160, 160)  # 100 pixels
    assert asked(small, (20, 20, 33, 30))["largest_box"]["answer"] == "[100, 100, 165, 150]"  # 130; 20/200*999 = 99.9
    assert "largest_box" not in asked(small, (20, 20, 32, 30))  # 120
    assert "largest_box" not in asked(small, (0, 20, 30, 30))  # 300, but cut by the edge


@pytest.mark.parametrize(
    ("left", "right", "middle", "answer"),
    [
        (4, 1, 0, "left"),
        (1, 4, 0, "right"),
        (3, 3, 0, None),
        (5, 4, 0, "left"),  # 5 is a quarter more than 4
        (9, 8, 0, None),
        (4, 1, 3, None),  # the three in the middle could side with the right
        (6, 1, 3, "left"),
    ],
)
def test_halves_hold_whatever_the_nuclei_at_the_midline_do(
    left: int, right: int, middle: int, answer: str | None
) -> None:
    found = asked(*row(left, 20, 10), *row(right, 170, 10), *row(middle, 95, 10))
    assert found.get("halves", {}).get("answer") == answer


def test_fragments_make_a_count_doubtful() -> None:
    whole = row(5, 20, 10)
    assert asked(*whole, (150, 20, 152, 22))["count"]["answer"] == "6"  # one fragment of 4 pixels: within 1
    assert "count" not in asked(*whole, (150, 20, 152, 22), (150, 40, 152, 42))


@pytest.mark.parametrize(
    ("side", "answer"), [(50, "A"), (59, None), (64, None), (80, "B"), (90, None), (109, None), (112, "C")]
)  # of 200 x 200: 6.25 %, 8.7 %, 10.2 %, 16 %, 20.3 %, 29.7 %, 31.4 %
def test_covered_area_is_clear_of_the_limits(side: int, answer: str | None) -> None:
    assert asked((0, 0, side, side)).get("area", {}).get("answer") == answer


def test_nothing_is_asked_of_an_empty_image() -> None:
    assert asked() == {}
