"""ruler: mm where a spacing holds, pixels of the original elsewhere, nothing across two views."""

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.images.facts import CalibratedRegion, Facts
from tools.images.image import MedicalImage
from tools.images.ruler import Ruler, ruler, ruler_in, why_no_mm
from tools.images.side_by_side import Shown, side_by_side

SQUARE = MedicalImage(np.zeros((999, 999), np.uint8))
SCREEN = MedicalImage(
    np.zeros((999, 999), np.uint8), facts=Facts("US", regions=(CalibratedRegion((100, 100, 500, 500), (0.1, 0.2)),))
)


def test_lengths_and_areas_by_hand() -> None:
    # 30 px of 0.1 mm across, 10 px of 0.4 mm down: 3 and 4 mm
    assert Ruler(0.4, 0.1, "mm").length((0, 0), (30, 10)) == pytest.approx(5)
    assert Ruler(0.5, 0.2, "mm").area(100) == ("10.0 mm2", 10.0, "mm2")
    assert Ruler(0.5, 0.5, "pixels").area(100) == ("25 pixels", 25.0, "pixels2")


def test_the_spacing_that_holds_there() -> None:
    assert ruler_in(MedicalImage(SQUARE.pixels, (0.5, 0.25)), (0, 0, 9, 9)) == Ruler(0.5, 0.25, "mm")
    assert ruler_in(SCREEN, (100, 100, 500, 500)) == Ruler(0.1, 0.2, "mm")
    assert ruler_in(SCREEN, (97, 100, 500, 500)) == Ruler(1.0, 1.0, "pixels")
    # the least that a policy can write is a pixel here: so near to the edge is within
    assert ruler_in(SCREEN, (99.5, 100, 500.5, 500)) == Ruler(0.1, 0.2, "mm")
    assert why_no_mm(SQUARE) == "no spacing in the file, so no mm"
    assert why_no_mm(SCREEN) == "a spacing is known only inside [100, 100, 500, 500], so no mm"


def test_pixels_are_those_of_the_original() -> None:
    # 100 x 50 of its pixels, shown as 400 x 100, turned: 100 wide, 400 high
    part = SQUARE.crop((0, 0, 100, 50))
    view = MedicalImage(np.zeros((100, 400), np.uint8), provenance=part.provenance).turned(1)
    assert ruler_in(view, (0, 0, 100, 400)) == Ruler(0.25, 0.5, "pixels")
    # of a view of unknown descent, its own
    unknown = MedicalImage(view.pixels, provenance=part.origin().cropped(part.size, (200, 0, 300, 50)))
    assert ruler_in(unknown, (0, 0, 9, 9)) == Ruler(1.0, 1.0, "pixels")


def test_nothing_is_measured_across_views() -> None:
    one = MedicalImage(np.zeros((99, 100), np.uint8), (0.5, 0.5))
    both = side_by_side([Shown(one.pixels, one), Shown(one.pixels, None), Shown(one.pixels, one)])
    assert ruler_in(both, (10, 10, 100, 99)) == Ruler(0.5, 0.5, "mm")
    for box in ((90, 0, 110, 9), (104, 0, 204, 99), (0, 0, 308, 99)):
        assert ruler_in(both, box) is None
    # 100 of 308 pixels are 324 of 999, 208 are 675
    with pytest.raises(
        ToolRetry, match=r"t: got .* of image 1, which shows .*: \[0, 0, 324, 999\], \[675, 0, 999, 999\]"
    ):
        ruler(both, (90, 0, 110, 9), "t")
