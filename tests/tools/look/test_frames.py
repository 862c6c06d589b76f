"""A later call that names a place in a turned, mirrored or composed view is told that place in the scan, by hand.

And nothing is measured across two views: a distance across two panels is not a distance.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence, Region
from tools.geometry import SCALE
from tools.images.image import MedicalImage
from tools.medical_tool import MedicalTool
from tools.registry import load_tools
from tools.run.validation import ToolCall, validated_arguments

SCAN = MedicalImage(
    np.random.default_rng(0).integers(0, 256, (400, 600), dtype=np.uint8), spacing=(0.5, 0.25)
)  # 600 wide, 400 high
OTHER = MedicalImage(np.random.default_rng(1).integers(0, 256, (300, 300), dtype=np.uint8))


def run(tool: str, images: Sequence[MedicalImage], **arguments: Any) -> Evidence:
    (made,) = load_tools([tool])
    assert isinstance(made, MedicalTool)
    return made.apply(validated_arguments(made, ToolCall(name=tool, arguments=arguments), len(images)), images)


def box_in(view: MedicalImage, x1: float, y1: float, x2: float, y2: float) -> list[int]:
    """Pixels of a view as a policy writes them."""
    return [round(each / side * SCALE) for each, side in zip((x1, y1, x2, y2), 2 * view.size, strict=True)]


def told(view: MedicalImage, *pixels: float) -> tuple[Region, ...]:
    """The regions that a later call tells of these pixels of a view."""
    return run("mark_regions", [view], image=1, boxes=[box_in(view, *pixels)], labels=[""]).regions


def test_rotate_flip() -> None:
    (view,) = run("rotate_flip", [SCAN], image=1, degrees=90, flip="none").images
    # 400 wide, 600 high; x' = 400 - y, y' = x: the view's 100..200, 300..450 was y 200..300, x 300..450
    assert view.size == (400, 600)
    (region,) = told(view, 100, 300, 200, 450)
    assert region.image == SCAN.id
    assert region.box == pytest.approx((300, 200, 450, 300), abs=0.5)
    # 100 px across are rows of 0.5 mm, 150 px down columns of 0.25 mm: 50 x 37.5 mm
    x1, y1, x2, y2 = box_in(view, 100, 300, 200, 450)
    found = run("measure_distance", [view], image=1, start=[x1, y1], end=[x2, y2])
    assert found.measurements[0].value == pytest.approx((50**2 + 37.5**2) ** 0.5, abs=0.2)
    assert found.measurements[0].unit == "mm"
    (view,) = run("rotate_flip", [SCAN], image=1, degrees=0, flip="top_bottom").images
    (region,) = told(view, 0, 0, 60, 100)
    assert region.box == pytest.approx((0, 300, 60, 400), abs=0.5)
    (view,) = run("rotate_flip", [SCAN], image=1, degrees=270, flip="left_right").images
    # mirrored, then anticlockwise, is the transposed: x' = y, y' = x
    (region,) = told(view, 10, 200, 110, 260)
    assert region.box == pytest.approx((200, 10, 260, 110), abs=0.7)


def test_compare_regions() -> None:
    arguments = {"image": 1, "box": box_in(SCAN, 0, 0, 200, 200), "other_image": 2, "other_box": [0, 0, 999, 999]}
    (view,) = run("compare_regions", [SCAN, OTHER], **arguments).images
    # one pixel a pixel: 200 | 4 | 300 wide, 300 high
    assert view.size == (504, 300)
    left, right = told(view, 150, 100, 254, 150)
    assert (left.image, right.image) == (SCAN.id, OTHER.id)
    assert left.box == pytest.approx((150, 100, 200, 150), abs=0.6)
    assert right.box == pytest.approx((0, 100, 50, 150), abs=0.6)
    (right,) = told(view, 304, 200, 404, 300)
    assert right.image == OTHER.id
    assert right.box == pytest.approx((100, 200, 200, 300), abs=0.6)
    assert told(view, 201, 0, 203, 300) == ()
    assert told(view, 0, 210, 190, 300) == ()  # the black below the lower one
    start, end = box_in(view, 20, 20, 120, 20)[:2], box_in(view, 20, 20, 120, 20)[2:]
    found = run("measure_distance", [view], image=1, start=start, end=end).measurements[0]
    assert (found.value, found.unit) == (pytest.approx(25, abs=0.3), "mm")  # 100 columns of 0.25 mm
    start, end = box_in(view, 224, 20, 324, 20)[:2], box_in(view, 224, 20, 324, 20)[2:]
    found = run("measure_distance", [view], image=1, start=start, end=end).measurements[0]
    assert (found.value, found.unit) == (pytest.approx(100, abs=1), "pixels")  # the other has no spacing


def test_mirror_compare() -> None:
    (view,) = run("mirror_compare", [SCAN], image=1, box=[167, 250, 333, 749]).images
    # 167 / 999 * 600 = 100.3, 333 / 999 * 600 = 200, 250 / 999 * 400 = 100.1, 749 / 999 * 400 = 299.9
    # left x 100..200, right x 400..500 mirrored; 100 | 4 | 100 wide, 200 high
    assert view.size == (204, 200)
    (here,) = told(view, 10, 20, 40, 60)
    assert here.box == pytest.approx((110, 120, 140, 160), abs=0.5)
    # the same place of the right panel: 10..40 from its left is 10..40 from the right edge of x 400..500
    (there,) = told(view, 114, 20, 144, 60)
    assert there.box == pytest.approx((460, 120, 490, 160), abs=0.5)
    assert view.pixels[30, 114] == SCAN.pixels[130, 489]


def test_magnify_series() -> None:
    image = MedicalImage(np.zeros((900, 900), np.uint8), spacing=(0.3, 0.3))
    (view,) = run("magnify_series", [image], image=1, point=[500, 500], steps=2).images
    # panels of 384: all of 900, then 300 from 300, then 100 from 400
    (first,) = told(view, 0, 0, 192, 192)
    assert first.box == pytest.approx((0, 0, 450, 450), abs=1.5)
    (third,) = told(view, 2 * 388 + 96, 96, 2 * 388 + 192, 192)
    assert third.box == pytest.approx((425, 425, 450, 450), abs=0.5)
    # all of the second panel across is 300 px of 0.3 mm
    x1, y1, x2, y2 = box_in(view, 388, 100, 772, 100)
    found = run("measure_distance", [view], image=1, start=[x1, y1], end=[x2, y2]).measurements[0]
    assert (found.value, found.unit) == (pytest.approx(90, abs=0.6), "mm")


def test_intensity_profile_and_its_plot() -> None:
    (view,) = run("intensity_profile", [SCAN], image=1, start=[100, 100], end=[900, 900]).images
    # the scan is shrunk to 512 x 341 beside a plot of 512 x 512
    assert view.size == (512 + 4 + 512, 512)
    (region,) = told(view, 256, 0, 512, 341)
    assert region.box == pytest.approx((300, 0, 600, 400), abs=1.5)
    assert told(view, 520, 10, 1000, 500) == ()
    with pytest.raises(ToolRetry, match="views side by side or a plot"):
        run("measure_distance", [view], image=1, start=[600, 100], end=[900, 100])


def test_tile_overview_keeps_its_places() -> None:
    (view,) = run("tile_overview", [SCAN], image=1).images
    (region,) = told(view, 60, 80, 120, 160)
    assert (region.image, region.box) == (SCAN.id, pytest.approx((60, 80, 120, 160), abs=0.5))


def test_a_closer_look_at_a_composed_view_shows_both_of_its_originals() -> None:
    arguments = {"image": 1, "box": box_in(SCAN, 0, 0, 200, 200), "other_image": 2, "other_box": [0, 0, 999, 999]}
    (view,) = run("compare_regions", [SCAN, OTHER], **arguments).images
    found = run("zoom_in", [view], image=1, box=box_in(view, 154, 0, 254, 100))
    assert [region.image for region in found.regions] == [SCAN.id, OTHER.id]
    assert [panel.source for panel in found.images[0].origin().panels] == [SCAN.id, OTHER.id]
    within = run("zoom_in", [view], image=1, box=box_in(view, 20, 20, 120, 120))
    assert within.images[0].spacing == (0.5, 0.25)


ACROSS = {
    "measure_distance": {"start": [100, 100], "end": [900, 100]},
    "measure_angle": {"start": [100, 100], "corner": [100, 300], "end": [900, 300]},
    "measure_area": {"points": [[100, 100], [900, 100], [900, 300]]},
    "intensity_profile": {"start": [100, 100], "end": [900, 100]},
    "region_statistics": {"box": [100, 100, 900, 300]},
    "texture": {"box": [100, 100, 900, 300], "distance": 1},
}


@pytest.mark.parametrize("tool", ACROSS)
def test_nothing_is_measured_across_two_views(tool: str) -> None:
    (view,) = run("mirror_compare", [SCAN], image=1, box=[167, 250, 333, 749]).images
    with pytest.raises(ToolRetry, match=rf"{tool}: got .* expected a place within one view: \[0, 0, 490, 999\]"):
        run(tool, [view], image=1, **ACROSS[tool])


@pytest.mark.parametrize("turn", [{"degrees": 90}, {"degrees": 270, "flip": "left_right"}, {"flip": "top_bottom"}])
def test_a_real_ultrasound_measures_the_same_when_it_is_turned(turn: dict[str, Any], from_pydicom: Any) -> None:
    # calibrated in x 84..320, y 31..240 alone: from (160.2, 120.1) to (160.2, 192.2) are 72.07 px of 0.51 mm, 36.8 mm
    film = from_pydicom("examples_ybr_color.dcm")
    assert run("measure_distance", [film], image=1, start=[500, 500], end=[500, 800]).text == "Distance: 36.8 mm."
    (view,) = run("rotate_flip", [film], image=1, **turn).images
    places = {
        90: ([499, 500], [199, 500]),  # x' = height - y, y' = x
        270: ([500, 500], [800, 500]),  # x' = y, y' = x
        0: ([500, 499], [500, 199]),  # y' = height - y
    }
    start, end = places[turn.get("degrees", 0)]
    assert run("measure_distance", [view], image=1, start=start, end=end).text == "Distance: 36.8 mm."
    # the same line where the screen has no scale, beside the calibrated part
    outside = {90: ([499, 100], [199, 100]), 270: ([500, 100], [800, 100]), 0: ([100, 499], [100, 199])}
    start, end = outside[turn.get("degrees", 0)]
    assert "Distance: 72.1 pixels" in run("measure_distance", [view], image=1, start=start, end=end).text
