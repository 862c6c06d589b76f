"""intensity_profile: a ramp and a step by hand; the plot is drawn; the length is in mm."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.measure.intensity_profile import PANEL, intensity_profile, profile


def plot(image: MedicalImage, start: list[int], end: list[int], width: int = 1) -> Evidence:
    return intensity_profile.apply({"image": 1, "start": start, "end": end, "width": width}, [image])


def test_a_ramp_is_interpolated_at_pixel_centres() -> None:
    ramp = MedicalImage(np.tile(np.arange(100, dtype=np.float32), (50, 1)))
    # from x = 10.5, the centre of pixel 10, to that of pixel 20
    assert profile(ramp, (10.5, 20.5), (20.5, 20.5), 1) == pytest.approx(np.arange(10, 21))
    # down a column nothing changes, whatever the width
    assert profile(ramp, (30.5, 5.5), (30.5, 15.5), 5) == pytest.approx(np.full(11, 30.0))


def test_the_steepest_step_and_the_length_in_mm() -> None:
    pixels = np.zeros((999, 999), np.uint8)
    pixels[:, 600:] = 200
    found = plot(MedicalImage(pixels, spacing=(1.0, 0.5)), [500, 300], [900, 300])
    numbers = {each.name: each for each in found.measurements}
    # 100 of 400 pixels from the start, 0.5 mm each
    assert numbers["steepest step"].value == pytest.approx(50, abs=0.5)
    assert numbers["steepest step"].unit == "mm"
    assert (numbers["least"].value, numbers["most"].value) == (0, 200)
    assert found.text.startswith("Along 200.0 mm of image 1: least 0, most 200")


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (40, 30, 3)])
def test_any_image_gives_a_plot(shape: tuple[int, ...]) -> None:
    found = plot(MedicalImage(np.full(shape, 7, np.uint16 if len(shape) == 2 else np.uint8)), [0, 0], [999, 999])
    assert found.images[0].height >= PANEL
    assert (
        found.images[0].id
        == plot(MedicalImage(np.full(shape, 7, np.uint16 if len(shape) == 2 else np.uint8)), [0, 0], [999, 999])
        .images[0]
        .id
    )


def test_one_point_twice_is_sent_back(noise: MedicalImage) -> None:
    with pytest.raises(ToolRetry, match="two different points"):
        plot(noise, [5, 5], [5, 5])


def test_a_line_through_a_real_ct_against_scipy(from_pydicom: Callable[[str], MedicalImage]) -> None:
    from scipy import ndimage

    ct = from_pydicom("CT_small.dcm")
    found = plot(ct, [100, 200], [900, 700])
    x1, y1, x2, y2 = (each / 999 * 128 - 0.5 for each in (100, 200, 900, 700))
    count = math.ceil(math.hypot(x2 - x1, y2 - y1) + 1)
    places = [np.linspace(y1, y2, count), np.linspace(x1, x2, count)]
    theirs = ndimage.map_coordinates(ct.pixels.astype(float), places, order=1)
    numbers = {each.name: each.value for each in found.measurements}
    assert numbers["mean"] == pytest.approx(theirs.mean(), abs=1)
    assert (numbers["least"], numbers["most"]) == pytest.approx((theirs.min(), theirs.max()), abs=1)
    # 0.661468 mm a pixel: (800 / 999 * 128, 500 / 999 * 128) = 102.5 x 64.1 px = 67.8 x 42.4 mm
    assert found.text.startswith("Along 80.0 mm of image 1")
    assert found.measurements[0].unit == "HU"
