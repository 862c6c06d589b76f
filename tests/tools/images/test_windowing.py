"""The window: hand-computed greys, also of values as large as 32 bits hold, without a warning."""

import warnings

import numpy as np
import pytest

from tools.appearance.enhance_contrast import enhance_contrast
from tools.appearance.gamma import gamma
from tools.appearance.window_level import window_level
from tools.images.image import MedicalImage
from tools.images.windowing import apply_window, window_shares

pytestmark = pytest.mark.filterwarnings("error")


def test_shares_and_greys_by_hand() -> None:
    values = np.array([-200, -160, 40, 90, 240, 400], np.int16)  # centre 40, width 400: from -160 to 240
    assert window_shares(values, (40, 400)).tolist() == pytest.approx([0, 0, 0.5, 0.625, 1, 1])
    assert apply_window(values, (40, 400)).tolist() == [0, 0, 128, 159, 255, 255]


def test_no_number_is_black_and_the_infinite_is_at_the_ends() -> None:
    values = np.array([np.nan, -np.inf, np.inf, 0.5], np.float32)
    assert apply_window(values, (0.5, 1)).tolist() == [0, 0, 255, 128]


@pytest.mark.parametrize(
    ("window", "greys"),
    [
        ((0, 6e38), [0, 128, 128, 255]),  # -3e38 to 3e38: wider than 32 bits hold
        ((0.5, 1), [0, 0, 255, 255]),
        ((3e38, 2e38), [0, 0, 0, 128]),
        ((0, 1e308), [128, 128, 128, 128]),
    ],
)
def test_huge_values_and_windows(window: tuple[float, float], greys: list[int]) -> None:
    values = np.array([[-3e38, 0, 1, 3e38]], np.float32)
    assert apply_window(values, window).tolist() == [greys]


def test_tools_that_show_huge_values_warn_of_nothing() -> None:
    image = MedicalImage(np.linspace(-3e38, 3e38, 4096, dtype=np.float32).reshape(64, 64))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = [
            gamma.apply({"image": 1, "gamma": 0.5}, [image]),
            enhance_contrast.apply({"image": 1, "strength": 3.0}, [image]),
            window_level.apply({"image": 1, "centre": 0.0, "width": 1e300, "preset": None}, [image]),
        ]
    # the upper right end of the range is white at any gamma
    assert shown[0].images[0].pixels[-1, -1] == 255
    assert shown[0].images[0].pixels[0, 0] == 0
    assert set(np.unique(shown[2].images[0].pixels)) == {128}
