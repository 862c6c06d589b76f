"""side_by_side: one picture of several, in which each place is told in its own original, in its own millimetres."""

import numpy as np

from tools.images.facts import CalibratedRegion, Facts
from tools.images.image import MedicalImage
from tools.images.side_by_side import GAP, Shown, side_by_side, strip


def grey(height: int, width: int, value: int = 9) -> np.ndarray:
    return np.full((height, width), value, np.uint8)


def test_a_strip() -> None:
    joined = strip([grey(5, 4), grey(8, 6, 7)])
    assert joined.shape == (8, 4 + GAP + 6)
    assert (joined[5:, :4] == 0).all()
    assert (joined[:, 4 + GAP :] == 7).all()


def test_each_part_knows_what_it_shows() -> None:
    left, right = MedicalImage(grey(20, 10)), MedicalImage(grey(10, 10, 3), spacing=(0.5, 0.4))
    plot = grey(6, 8, 200)
    # the left one at twice its size, the right one as it is, then a plot: 20 | 4 | 10 | 4 | 8 wide, 40 high
    made = side_by_side([Shown(grey(40, 20), left), Shown(right.pixels, right), Shown(plot, None)])
    assert made.size == (46, 40)
    assert made.spacing is None
    # the left part, x 2..12, y 20..40: half of that in the original
    (seen,) = made.seen_in((2, 20, 12, 40))
    assert (seen.source, seen.box) == (left.id, (1.0, 10.0, 6.0, 20.0))
    # across the gap, x 10..26: from 5 of the left one, to 2 of the right one
    first, second = made.seen_in((10, 0, 26, 10))
    assert (first.source, first.box) == (left.id, (5.0, 0.0, 10.0, 5.0))
    assert (second.source, second.box) == (right.id, (0.0, 0.0, 2.0, 10.0))
    # the gap, the plot, and the black below a lower picture
    assert made.seen_in((20, 0, 24, 40)) == ()
    assert made.seen_in((38, 0, 46, 6)) == ()
    assert made.seen_in((25, 11, 30, 40)) == ()
    # 0.5 x 0.4 mm in the right one's pixels alone
    assert made.facts.regions == (CalibratedRegion((24, 0, 34, 10), (0.5, 0.4)),)


def test_a_view_of_a_view_keeps_both_originals() -> None:
    one, other = MedicalImage(grey(10, 10)), MedicalImage(grey(10, 10, 3))
    both = side_by_side([Shown(one.pixels, one), Shown(other.pixels, other)])
    # 24 wide; turned clockwise: 10 wide, 24 high, the first one above
    view = both.turned(1).crop((0, 5, 10, 20))
    above, below = view.seen_in((0, 0, 10, 15))
    assert (above.source, above.box) == (one.id, (5.0, 0.0, 10.0, 10.0))
    assert (below.source, below.box) == (other.id, (0.0, 0.0, 6.0, 10.0))


def test_calibrated_regions_and_grey_beside_colour() -> None:
    scan = MedicalImage(
        np.zeros((20, 20, 3), np.uint8), facts=Facts("US", regions=(CalibratedRegion((5, 5, 15, 20), (0.1, 0.2)),))
    )
    made = side_by_side([Shown(grey(10, 10), None), Shown(np.zeros((40, 40, 3), np.uint8), scan)])
    assert made.pixels.shape == (40, 54, 3)
    assert made.facts == Facts("US", regions=(CalibratedRegion((24, 10, 44, 40), (0.05, 0.1)),))
