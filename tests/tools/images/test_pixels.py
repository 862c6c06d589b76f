"""pixels: boxes in whole pixels, one grey plane of any image, and sizes changed without inventing values."""

import numpy as np
import pytest

from tools.errors import ToolFailed, ToolRetry
from tools.images.facts import Facts
from tools.images.image import MedicalImage
from tools.images.pixels import (
    at_most,
    enlarged_labels,
    greys,
    large_enough,
    resized,
    unit_of,
    whole_box,
    with_contrast,
)

SQUARE = MedicalImage(np.zeros((999, 999), np.uint8))


def test_a_box_covers_all_pixels_that_it_touches() -> None:
    assert whole_box(SQUARE, [100, 500, 400, 700], "t") == (100, 500, 400, 700)
    assert whole_box(SQUARE, None, "t") == (0, 0, 999, 999)
    # 500 / 999 * 10 = 5.005, 501 / 999 * 10 = 5.015: within pixel 5
    assert whole_box(MedicalImage(np.zeros((10, 10), np.uint8)), [500, 500, 501, 501], "t") == (5, 5, 6, 6)
    with pytest.raises(ToolRetry, match=r"t: got box \[5, 5, 5, 9\], which has no area"):
        whole_box(SQUARE, [5, 5, 5, 9], "t")


def test_one_grey_plane_of_any_image() -> None:
    assert greys(MedicalImage(np.array([[-1000, 3000]], np.int16))).tolist() == [[-1000, 3000]]
    # 0.299 * 10 + 0.587 * 20 + 0.114 * 30
    assert greys(MedicalImage(np.array([[[10, 20, 30]]], np.uint8)))[0, 0] == pytest.approx(18.15)
    assert greys(MedicalImage(np.array([[np.nan, 2, 5, np.inf]], np.float32))).tolist() == [[2, 2, 5, 2]]
    assert greys(MedicalImage(np.array([[np.nan]], np.float32))).tolist() == [[0]]


def test_no_contrast_is_refused_and_says_what_can_be_done() -> None:
    flat = np.zeros((2, 2), np.float32)
    with pytest.raises(ToolFailed, match="t: image 1 is 0 everywhere"):
        with_contrast(flat, SQUARE, "t")
    with pytest.raises(ToolRetry, match="choose one with some contrast"):
        with_contrast(flat, SQUARE, "t", [0, 0, 9, 9])
    with pytest.raises(ToolFailed, match="expected at least 1000 a side"):
        large_enough(SQUARE, 1000, "t")


def test_sizes() -> None:
    values = np.array([[0, 10], [20, 30]], np.uint16)
    assert resized(values, 1, 1).tolist() == [[15]]
    larger = resized(values, 16, 16)
    assert larger.dtype == np.uint16
    assert (larger.min(), larger.max()) == (0, 30)
    assert at_most(SQUARE, 100).size == (100, 100)
    assert at_most(SQUARE, 1000) is SQUARE
    assert enlarged_labels(np.array([[0, 7]], np.int32), 4, 2).tolist() == [[0, 0, 7, 7]] * 2


def test_the_unit_is_the_files() -> None:
    assert unit_of(SQUARE) == "grey values"
    assert unit_of(MedicalImage(np.zeros((9, 9), np.int16), facts=Facts(unit="HU"))) == "HU"
