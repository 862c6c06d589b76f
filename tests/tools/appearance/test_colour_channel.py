"""colour_channel: one pixel's channels by hand."""

import colorsys
from collections.abc import Callable

import numpy as np
import pytest

from tools.appearance.colour_channel import colour_channel
from tools.errors import ToolFailed
from tools.images.image import MedicalImage


def channel(image: MedicalImage, name: str) -> int:
    return int(colour_channel.apply({"image": 1, "channel": name}, [image]).images[0].pixels[0, 0])


def test_each_channel_by_hand_and_by_colorsys() -> None:
    pixel = MedicalImage(np.array([[[200, 100, 50]]], np.uint8))
    assert [channel(pixel, name) for name in ("red", "green", "blue")] == [200, 100, 50]
    hue, saturation, value = colorsys.rgb_to_hsv(200 / 255, 100 / 255, 50 / 255)
    found = [channel(pixel, name) for name in ("hue", "saturation", "value")]
    assert found == pytest.approx([hue * 255, saturation * 255, value * 255], abs=1)


def test_lightness_of_black_and_white() -> None:
    assert channel(MedicalImage(np.full((2, 2, 3), 255, np.uint8)), "lightness") == 255
    assert channel(MedicalImage(np.zeros((2, 2, 3), np.uint8)), "lightness") == 0


def test_a_grey_image_has_none() -> None:
    with pytest.raises(ToolFailed, match="is grey"):
        channel(MedicalImage(np.zeros((2, 2), np.uint8)), "red")


def test_a_real_stained_section_against_colorsys(from_skimage: Callable[[str], MedicalImage]) -> None:
    section = from_skimage("ihc.png")
    for name, place in (("red", 0), ("green", 1), ("blue", 2)):
        (view,) = colour_channel.apply({"image": 1, "channel": name}, [section]).images
        assert (view.pixels == section.pixels[:, :, place]).all()
    (saturation,) = colour_channel.apply({"image": 1, "channel": "saturation"}, [section]).images
    for row, column in ((10, 20), (250, 250), (500, 100)):
        red, green, blue = section.pixels[row, column] / 255
        assert saturation.pixels[row, column] == pytest.approx(colorsys.rgb_to_hsv(red, green, blue)[1] * 255, abs=1)
