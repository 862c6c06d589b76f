"""gamma: powers by hand, from the measured values."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from tools.appearance.gamma import gamma
from tools.errors import ToolRetry
from tools.images.image import MedicalImage


def show(image: MedicalImage, value: float) -> MedicalImage:
    return gamma.apply({"image": 1, "gamma": value}, [image]).images[0]


def test_by_hand() -> None:
    # (64/255)^0.5 = 0.50098: 127.75; (64/255)^2 = 0.06299: 16.06
    grey = MedicalImage(np.array([[0, 64, 255]], np.uint8))
    assert show(grey, 0.5).pixels.tolist() == [[0, 128, 255]]
    assert show(grey, 2).pixels.tolist() == [[0, 16, 255]]


def test_values_below_one_grey_are_opened_up() -> None:
    deep = MedicalImage(np.array([[0, 10, 4000]], np.int16), window=(2000, 4000))
    # displayed as 0, 1, 255; sqrt(10 / 4000) = 0.05: 12.75
    assert show(deep, 0.5).pixels.tolist() == [[0, 13, 255]]


def test_colour_nan_and_one() -> None:
    assert show(MedicalImage(np.zeros((3, 4, 3), np.uint8)), 0.5).pixels.shape == (3, 4, 3)
    assert show(MedicalImage(np.array([[np.nan, 1.0]], np.float32), window=(0.5, 1)), 0.5).pixels.tolist() == [[0, 255]]
    with pytest.raises(ToolRetry, match="changes nothing"):
        show(MedicalImage(np.zeros((3, 4), np.uint8)), 1)


def test_a_real_ct_by_hand(from_pydicom: Callable[[str], MedicalImage]) -> None:
    ct = from_pydicom("CT_small.dcm")
    (view,) = (show(ct, 0.5),)
    assert ct.display_window is not None
    centre, width = ct.display_window
    for row, column in ((64, 64), (20, 100), (100, 30)):
        share = min(1.0, max(0.0, (float(ct.pixels[row, column]) - (centre - width / 2)) / width))
        assert view.pixels[row, column] == pytest.approx(255 * math.sqrt(share), abs=0.6)
