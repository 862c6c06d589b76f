"""measure_area: a triangle and a rectangle by hand, mm2 only with a spacing."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.measure.measure_area import measure_area


def measure(image: MedicalImage, *points: list[int]) -> Evidence:
    return measure_area.apply({"image": 1, "points": list(points)}, [image])


def square(spacing: tuple[float, float] | None) -> MedicalImage:
    """999 pixels a side: a policy's number is the pixel."""
    return MedicalImage(np.zeros((999, 999), np.uint8), spacing=spacing)


def test_a_triangle_in_pixels() -> None:
    # 300 x 400 / 2; sides 300, 400, 500
    found = measure(square(None), [100, 100], [400, 100], [400, 500])
    assert found.text == "Area: 60000 pixels, circumference 1200.0 pixels (no spacing in the file, so no mm)."
    assert found.measurements[0].unit == "pixels2"
    assert found.regions[0].box == pytest.approx((100, 100, 400, 500))


def test_a_rectangle_in_millimetres_each_direction_by_its_own_spacing() -> None:
    # 300 px x 0.25 mm = 75 mm across, 400 px x 0.5 mm = 200 mm down
    found = measure(square((0.5, 0.25)), [100, 100], [400, 100], [400, 500], [100, 500])
    assert found.measurements[0].value == pytest.approx(15000)
    assert found.measurements[1].value == pytest.approx(550)
    assert found.text == "Area: 15000.0 mm2, circumference 550.0 mm."


def test_the_outline_is_drawn() -> None:
    (view,) = measure(square(None), [100, 100], [400, 100], [400, 500]).images
    assert view.pixels[100, 250].any()
    assert not view.pixels[300, 380].any()


def test_a_crossed_line_and_no_area_are_sent_back() -> None:
    with pytest.raises(ToolRetry, match="crosses itself"):
        measure(square(None), [0, 0], [100, 100], [100, 0], [0, 100])
    with pytest.raises(ToolRetry, match="enclose nothing"):
        measure(square(None), [0, 0], [0, 100], [0, 50])


def test_a_real_ct_against_opencv(from_pydicom: Callable[[str], MedicalImage]) -> None:
    import cv2

    ct = from_pydicom("CT_small.dcm")
    points = [[200, 300], [600, 250], [800, 600], [500, 800], [250, 700]]
    outline = np.array(points, np.float32) / 999 * 128 * 0.661468
    found = {each.name: each.value for each in measure(ct, *points).measurements}
    assert found["area"] == pytest.approx(cv2.contourArea(outline), rel=1e-5)
    assert found["circumference"] == pytest.approx(cv2.arcLength(outline, closed=True), rel=1e-5)


def test_a_real_ultrasound_screen_is_calibrated_in_a_part(from_pydicom: Callable[[str], MedicalImage]) -> None:
    # 800 x 350; of 0.26228787661969977 mm in x 120..800, y 60..350: 80.08 x 35.04 px are 193.0 mm2
    screen = from_pydicom("examples_palette.dcm")
    within = measure(screen, [300, 300], [400, 300], [400, 400], [300, 400]).measurements[0]
    assert (within.value, within.unit) == (
        pytest.approx(100 / 999 * 800 * 100 / 999 * 350 * 0.26228787661969977**2),
        "mm2",
    )
    outside = measure(screen, [0, 0], [100, 0], [100, 100], [0, 100])
    assert outside.measurements[0].unit == "pixels2"
    assert "a spacing is known only inside" in outside.text
