"""detect_edges: the outline of a square and nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolFailed
from tools.find.detect_edges import detect_edges
from tools.images.image import MedicalImage
from tools.images.load import load_image


def edges(image: MedicalImage, blur: float = 1) -> np.ndarray:
    return detect_edges.apply({"image": 1, "blur": blur}, [image]).images[0].pixels


@pytest.mark.parametrize(("low", "high", "dtype"), [(20, 220, np.uint8), (-1000, 1000, np.int16)])
def test_a_square_has_its_outline(low: int, high: int, dtype: type) -> None:
    pixels = np.full((100, 100), low, dtype)
    pixels[30:70, 20:80] = high
    found = edges(MedicalImage(pixels)) == 255
    near = np.zeros((100, 100), bool)
    near[28:72, 18:82] = True
    near[33:67, 23:77] = False
    assert not found[~near].any()
    # 2 * (40 + 60) pixels around, on one side of the step or on both
    assert 180 <= found.sum() <= 400


def test_colour_and_a_real_x_ray(data: Path) -> None:
    assert edges(MedicalImage(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))).ndim == 2
    found = edges(load_image(sorted((data / "cxr_lungs" / "images").iterdir())[0]), 3)
    assert 0.005 < (found == 255).mean() < 0.15


def test_nothing_to_find_is_said() -> None:
    with pytest.raises(ToolFailed, match="everywhere"):
        edges(MedicalImage(np.zeros((9, 9), np.uint8)))
    with pytest.raises(ToolFailed, match="at least 4 a side"):
        edges(MedicalImage(np.array([[0, 1]], np.uint8)))


def test_the_edge_of_a_real_body_against_a_threshold(from_pydicom: Callable[[str], MedicalImage]) -> None:
    from scipy import ndimage

    ct = from_pydicom("CT_small.dcm")
    body = ndimage.binary_opening(ct.pixels > -300, iterations=2)  # all but air
    border = body ^ ndimage.binary_erosion(body, border_value=1)
    near = ndimage.binary_dilation(edges(ct, 1.5) == 255, iterations=3)
    assert near[border].mean() > 0.9
    assert near.mean() < 0.75
