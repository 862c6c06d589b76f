"""measure_distance: Pythagoras by hand, millimetres only with a spacing."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.facts import CalibratedRegion, Facts
from tools.images.image import MedicalImage
from tools.measure.measure_distance import measure_distance


def measure(image: MedicalImage, start: list[int], end: list[int]) -> Evidence:
    return measure_distance.apply({"image": 1, "start": start, "end": end}, [image])


def square(spacing: tuple[float, float] | None) -> MedicalImage:
    """999 pixels a side: a policy's number is the pixel."""
    return MedicalImage(np.zeros((999, 999), np.uint8), spacing=spacing)


def test_in_pixels_without_spacing_and_it_says_so() -> None:
    # 300 across, 400 down
    found = measure(square(None), [100, 100], [400, 500])
    assert found.text == "Distance: 500.0 pixels (no spacing in the file, so no mm)."
    (measurement,) = found.measurements
    assert (measurement.name, measurement.unit) == ("distance", "pixels")
    assert measurement.value == pytest.approx(500.0)


def test_in_millimetres_each_direction_by_its_own_spacing() -> None:
    # 300 px across x 0.25 mm = 75 mm, 400 px down x 0.5 mm = 200 mm: sqrt(5625 + 40000) = 213.600...
    found = measure(square((0.5, 0.25)), [100, 100], [400, 500])
    assert found.text == "Distance: 213.6 mm."
    assert found.measurements[0].unit == "mm"
    assert found.measurements[0].value == pytest.approx(45625**0.5)
    assert found.images == ()


def test_width_and_height_have_their_own_scale() -> None:
    wide = MedicalImage(np.zeros((100, 400), np.uint8), spacing=(1.0, 1.0))
    assert measure(wide, [0, 0], [999, 0]).text == "Distance: 400.0 mm."
    assert measure(wide, [0, 999], [0, 0]).text == "Distance: 100.0 mm."


def test_a_view_measures_as_the_original_does() -> None:
    view = square((0.5, 0.25)).crop((100, 100, 199, 199))
    # 99 px x 0.25 mm = 24.75 mm across
    assert measure(view, [0, 0], [999, 0]).measurements[0].value == pytest.approx(24.75)


def test_one_point_twice_is_sent_back() -> None:
    with pytest.raises(ToolRetry, match="two different points"):
        measure(square(None), [5, 5], [5, 5])


def test_ultrasound_is_measured_in_its_calibrated_region_and_nowhere_else() -> None:
    # 0.1 mm down, 0.2 mm across: 300 px down are 30 mm, 200 px across 40 mm
    regions = (CalibratedRegion((100, 100, 500, 500), (0.1, 0.2)),)
    screen = MedicalImage(np.zeros((999, 999), np.uint8), facts=Facts("US", regions=regions))
    found = measure(screen, [150, 150], [350, 450])
    assert found.text == "Distance: 50.0 mm."
    assert found.measurements[0].value == pytest.approx(50)
    outside = measure(screen, [150, 150], [150, 650])
    assert outside.text == "Distance: 500.0 pixels (a spacing is known only inside [100, 100, 500, 500], so no mm)."


def test_a_real_ultrasound_by_hand(from_pydicom: Callable[[str], MedicalImage]) -> None:
    # 320 x 240; of 0.5104970559477806 mm in x 84..320, y 31..240: 300 / 999 * 240 = 72.07 px are 36.8 mm
    heart = from_pydicom("examples_ybr_color.dcm")
    assert measure(heart, [500, 500], [500, 800]).text == "Distance: 36.8 mm."
    assert measure(heart, [100, 500], [100, 800]).text.startswith("Distance: 72.1 pixels (a spacing is known only")


def test_a_real_ct_by_hand(from_pydicom: Callable[[str], MedicalImage]) -> None:
    # 128 px of 0.661468 mm each way: 84.668 mm, and its diagonal 119.7
    ct = from_pydicom("CT_small.dcm")
    assert measure(ct, [0, 0], [999, 0]).measurements[0].value == pytest.approx(84.667904)
    assert measure(ct, [0, 0], [999, 999]).text == "Distance: 119.7 mm."
