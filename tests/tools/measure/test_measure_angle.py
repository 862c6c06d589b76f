"""measure_angle: right and other angles by hand, in mm where rows and columns differ."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.images.image import MedicalImage
from tools.measure.measure_angle import measure_angle


def angle(spacing: tuple[float, float] | None, start: list[int], corner: list[int], end: list[int]) -> float:
    image = MedicalImage(np.zeros((999, 999), np.uint8), spacing=spacing)
    return (
        measure_angle.apply({"image": 1, "start": start, "corner": corner, "end": end}, [image]).measurements[0].value
    )


@pytest.mark.parametrize(
    ("end", "expected"),
    [([600, 500], 0), ([600, 600], 45), ([500, 600], 90), ([400, 600], 135), ([400, 500], 180), ([400, 400], 135)],
)
def test_round_the_clock(end: list[int], expected: float) -> None:
    assert angle(None, [700, 500], [500, 500], end) == pytest.approx(expected, abs=1e-9)


def test_millimetres_count_not_pixels() -> None:
    # 100 px across at 1 mm, 100 px down at 3 ** 0.5 mm: atan(3 ** 0.5) = 60 degrees
    assert angle((3**0.5, 1.0), [900, 500], [500, 500], [600, 600]) == pytest.approx(60)


def test_two_points_are_no_angle() -> None:
    with pytest.raises(ToolRetry, match="three different points"):
        angle(None, [5, 5], [5, 5], [9, 9])


def test_a_real_ct_against_the_dot_product(from_pydicom: Callable[[str], MedicalImage]) -> None:
    ct = from_pydicom("CT_small.dcm")
    found = measure_angle.apply({"image": 1, "start": [800, 300], "corner": [200, 400], "end": [500, 900]}, [ct])
    first, second = np.array([600, -100]), np.array([300, 500])
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert found.measurements[0].value == pytest.approx(np.degrees(np.arccos(cosine)))
    assert found.text.endswith("degrees.")
