"""difference_map: a spot that appeared is red where it is; a shift is found; another exposure is no change."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.find.difference_map import difference_map
from tools.images.image import MedicalImage


def compare(first: MedicalImage, second: MedicalImage, align: bool = True) -> Evidence:
    return difference_map.apply({"image": 1, "other_image": 2, "align": align}, [first, second])


@pytest.fixture
def tissue() -> np.ndarray:
    from scipy import ndimage

    grain = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(260, 260)), 3)
    return np.clip(grain / grain.std() * 25 + 110, 0, 180).astype(np.uint8)


def test_a_new_spot_is_red_and_told(tissue: np.ndarray) -> None:
    first, second = tissue[:240, :240], tissue[:240, :240].copy()
    second[130:145, 190:205] = 250
    found = compare(MedicalImage(first), MedicalImage(second), align=False)
    red, _, blue = (int(each) for each in found.images[0].pixels[137, 197])
    assert red > 200 > blue
    # parts are 30 pixels: row 4, column 6
    assert found.regions[0].box == (180, 120, 210, 150)


def test_a_shift_is_taken_back(tissue: np.ndarray) -> None:
    first, second = MedicalImage(tissue[10:250, 10:250]), MedicalImage(tissue[3:243, 14:254])
    # what is at row r, column c of the first is at r + 7, c - 4 of the second: move it 4 right and 7 up
    found = compare(first, second)
    assert "shifted by 4.0, -7.0 pixels" in found.text
    assert found.measurements[0].value > 0.9
    assert compare(first, second, align=False).measurements[0].value < 0.5


def test_another_exposure_depth_and_size_are_no_change(tissue: np.ndarray) -> None:
    brighter = MedicalImage((tissue[:240, :240].astype(np.uint16) * 150 + 3000).astype(np.uint16))
    assert compare(MedicalImage(tissue[:240, :240]), brighter).measurements[0].value > 0.98


def test_what_cannot_be_compared_is_said(tissue: np.ndarray) -> None:
    with pytest.raises(ToolRetry, match="two of the same view"):
        compare(MedicalImage(tissue), MedicalImage(tissue[:100]))
    with pytest.raises(ToolFailed, match="is 0 everywhere"):
        compare(MedicalImage(tissue), MedicalImage(np.zeros((260, 260), np.uint8)))


def test_a_real_mr_that_was_moved(from_pydicom: Callable[[str], MedicalImage]) -> None:
    scan = from_pydicom("examples_overlay.dcm")
    # the second one begins 6 rows lower and 4 columns further right: it is to be moved as much to lie on the first
    first, second = scan.crop((40, 40, 400, 240)), scan.crop((44, 46, 404, 246))
    assert "Image 2 was shifted by 4.0, 6.0 pixels" in compare(first, second).text
    correlation = np.corrcoef(first.pixels[6:, 4:].ravel(), second.pixels[:-6, :-4].ravel())[0, 1]
    assert correlation == pytest.approx(1)
    assert compare(first, second).measurements[0].value > 0.98
    assert compare(first, second, align=False).measurements[0].value < 0.9
