"""magnify_series: each panel is a third of the one before, around the point."""

import numpy as np
import pytest

from tools.errors import ToolFailed
from tools.images.image import MedicalImage
from tools.look.magnify_series import PANEL, magnify_series
from tools.side_by_side import GAP


def magnify(image: MedicalImage, point: list[int], steps: int = 2):
    return magnify_series.apply({"image": 1, "point": point, "steps": steps}, [image])


def test_boxes_by_hand() -> None:
    image = MedicalImage(np.zeros((900, 900), np.uint8))
    found = magnify(image, [500, 999])
    # 500 / 999 * 900 = 450.45: 300 pixels from 300, 100 from 400; moved up to end at 900
    assert [region.box for region in found.regions] == [(300.0, 600.0, 600.0, 900.0), (400.0, 800.0, 500.0, 900.0)]
    assert found.images[0].size == (3 * PANEL + 2 * GAP, PANEL)


def test_the_last_panel_shows_the_point() -> None:
    pixels = np.zeros((270, 270), np.uint8)
    pixels[120:150, 120:150] = 200
    (view,) = magnify(MedicalImage(pixels), [500, 500]).images
    # 30 pixels of 270 are the whole of the last panel, and its only content
    assert (view.pixels[:, -PANEL:] == 200).all()


def test_a_tiny_image_says_so() -> None:
    with pytest.raises(ToolFailed, match="at least 18 a side"):
        magnify(MedicalImage(np.zeros((17, 40), np.uint8)), [0, 0])
