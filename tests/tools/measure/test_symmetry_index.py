"""symmetry_index: 1 for mirror images, -1 for a negative, the odd spot found; real chests are fairly symmetric."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.measure.symmetry_index import symmetry_index


def measure(image: MedicalImage, midline: int | None = None) -> Evidence:
    return symmetry_index.apply({"image": 1, "midline": midline}, [image])


def body() -> np.ndarray:
    half = np.random.default_rng(0).integers(50, 150, (20, 10)).repeat(10, 0).repeat(10, 1).astype(np.uint8)
    return np.concatenate([half, half[:, ::-1]], axis=1)


def test_mirror_images_and_a_negative() -> None:
    assert measure(MedicalImage(body())).measurements[0].value == pytest.approx(1)
    negative = body()
    negative[:, 100:] = 200 - negative[:, 100:]
    assert measure(MedicalImage(negative)).measurements[0].value == pytest.approx(-1, abs=0.02)


def test_the_balance_by_hand() -> None:
    pixels = body()
    pixels[:, :100] = pixels[:, 100:][:, ::-1] // 2
    # left is half of right: 2 * (0.5 - 1) / 1.5 = -0.667 (rounded down to whole greys, blurred at the midline)
    assert measure(MedicalImage(pixels)).measurements[1].value == pytest.approx(-2 / 3, abs=0.01)


def test_the_odd_spot_is_found_on_both_sides() -> None:
    pixels = body()
    pixels[150:175, 150:163] = 255
    found = measure(MedicalImage(pixels))
    # parts are 25 rows by 12.5 columns: row 6; the right half's columns 50..63 from the midline are 37..50 of the left
    assert found.regions[0].box == (37.0, 150.0, 50.0, 175.0)
    assert found.regions[1].box == (150.0, 150.0, 163.0, 175.0)


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(ToolRetry, match="nearer to the middle"):
        measure(MedicalImage(body()), 999)
    with pytest.raises(ToolFailed, match="everywhere"):
        measure(MedicalImage(np.zeros((50, 50), np.uint8)))
    with pytest.raises(ToolFailed, match="at least 16 a side"):
        measure(MedicalImage(np.zeros((5, 50), np.uint8)))


def test_real_chests_are_more_alike_than_not(data: Path) -> None:
    files = sorted((data / "cxr_lungs" / "images").iterdir())[:10]
    assert np.median([measure(load_image(file)).measurements[0].value for file in files]) > 0.5


def test_a_real_mr_against_numpy(from_pydicom: Callable[[str], MedicalImage]) -> None:
    from scipy import ndimage

    scan = from_pydicom("examples_overlay.dcm")  # 484 x 300
    shown = ndimage.gaussian_filter(np.asarray(scan.display(), np.float64), 4.84)
    left, right = shown[:, :242], shown[:, 242:][:, ::-1]
    found = measure(scan).measurements
    assert found[0].value == pytest.approx(np.corrcoef(left.ravel(), right.ravel())[0, 1], abs=1e-3)
    assert found[1].value == pytest.approx(2 * (left.mean() - right.mean()) / (left.mean() + right.mean()), abs=1e-3)
