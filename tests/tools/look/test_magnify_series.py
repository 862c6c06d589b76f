"""magnify_series: each panel is a third of the one before, around the point."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tools.errors import ToolFailed
from tools.images.image import MedicalImage
from tools.images.side_by_side import GAP
from tools.look.magnify_series import PANEL, magnify_series


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


def test_a_real_mr_against_pillow(from_pydicom: Callable[[str], MedicalImage]) -> None:
    scan = from_pydicom("examples_overlay.dcm")  # 484 x 300
    found = magnify(scan, [500, 500])
    # a ninth of it, 54 x 33, around (242.2, 150.2)
    assert found.regions[1].box == (215.0, 134.0, 269.0, 167.0)
    (view,) = found.images
    size = (PANEL, view.height)
    theirs = scan.display().crop((215, 134, 269, 167)).resize(size, Image.Resampling.BICUBIC)
    assert np.abs(view.pixels[:, -PANEL:, 0].astype(int) - np.asarray(theirs)).mean() < 3
