"""Panel: a part of a view in the original's pixels, upright, turned, mirrored and beside others, worked by hand."""

import numpy as np
import pytest

from tools.images.image import MedicalImage
from tools.images.panel import Panel

# every pixel of 4 rows x 6 columns tells its place: 10 * row + column
PLACES = MedicalImage((10 * np.arange(4)[:, None] + np.arange(6)).astype(np.int16))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3, 4, 7])
def test_each_pixel_of_a_turned_view_is_told_where_it_is_in_the_original(quarters: int, mirrored: bool) -> None:
    # turned twice, and cropped in between: all eight orientations of a view of a view
    for first in range(4):
        view = PLACES.turned(first, mirrored).crop((1, 1, 4, 4)).turned(quarters, not mirrored)
        for row in range(view.height):
            for column in range(view.width):
                (seen,) = view.seen_in((column, row, column + 1, row + 1))
                y, x = divmod(int(view.pixels[row, column]), 10)
                assert seen.source == PLACES.id
                assert seen.box == pytest.approx((x, y, x + 1, y + 1))


def test_a_quarter_turn_by_hand() -> None:
    # 6 wide, 4 high, clockwise: 4 wide, 6 high; its upper left pixel was the lower left one
    view = PLACES.turned(1)
    assert view.size == (4, 6)
    assert view.seen_in((0, 0, 1, 2))[0].box == (0.0, 3.0, 2.0, 4.0)
    # mirrored: the left column was the right one
    assert PLACES.turned(0, mirrored=True).seen_in((0, 0, 1, 4))[0].box == (5.0, 0.0, 6.0, 4.0)


def test_a_part_of_a_view_may_show_less_of_a_panel_or_nothing() -> None:
    # the left half of the view shows x 10..30, y 0..20 of the original
    panel = Panel("a" * 64, (10.0, 0.0, 30.0, 20.0), (0.0, 0.0, 0.5, 1.0))
    half = panel.cropped((0.25, 0.5, 1.0, 1.0))
    assert half is not None
    assert half.box == (20.0, 10.0, 30.0, 20.0)
    assert half.at == pytest.approx((0.0, 0.0, 1 / 3, 1.0))
    assert panel.cropped((0.5, 0.0, 1.0, 1.0)) is None
    point = panel.cropped((0.25, 0.25, 0.25, 0.25))
    assert point is not None
    assert point.box == (20.0, 5.0, 20.0, 5.0)


def test_a_panel_placed_in_a_larger_view() -> None:
    placed = Panel("a" * 64, (0.0, 0.0, 8.0, 8.0)).placed((0.5, 0.0, 1.0, 0.5))
    assert placed.at == (0.5, 0.0, 1.0, 0.5)
    seen = placed.cropped((0.75, 0.25, 1.0, 0.5))
    assert seen is not None
    assert seen.box == (4.0, 4.0, 8.0, 8.0)
