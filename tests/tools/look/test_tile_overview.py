"""tile_overview: the tiles cover the image once, and their boxes are told."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.images.drawing import COLOURS
from tools.images.image import MedicalImage
from tools.look.tile_overview import tile_overview


def overview(image: MedicalImage, rows: int = 3, columns: int = 3):
    return tile_overview.apply({"image": 1, "rows": rows, "columns": columns}, [image])


def test_the_tiles_cover_the_image_once() -> None:
    image = MedicalImage(np.zeros((100, 250), np.uint8))
    found = overview(image, 2, 3)
    covered = np.zeros((100, 250), int)
    for region in found.regions:
        x1, y1, x2, y2 = (int(each) for each in region.box)
        covered[y1:y2, x1:x2] += 1
    assert (covered == 1).all()
    assert [region.label for region in found.regions] == ["1", "2", "3", "4", "5", "6"]
    # columns end at 83, 167, 250: 83 / 250 * 999 = 331.7, 167 / 250 * 999 = 667.3
    assert "1 [0, 0, 332, 500]" in found.text
    assert "5 [332, 500, 667, 999]" in found.text


def test_the_grid_is_drawn_on_the_image_in_its_own_size(ct: MedicalImage) -> None:
    (view,) = overview(ct, 1, 2).images
    assert view.size == ct.size
    assert (view.pixels[:, 32] == COLOURS[0]).all()
    assert view.spacing == ct.spacing


def test_no_grid_is_sent_back() -> None:
    with pytest.raises(ToolRetry, match="at least two tiles"):
        overview(MedicalImage(np.zeros((9, 9), np.uint8)), 1, 1)
    with pytest.raises(ToolRetry, match="a pixel for each"):
        overview(MedicalImage(np.zeros((1, 9), np.uint8)), 2, 2)


def test_a_real_ultrasound(from_pydicom: Callable[[str], MedicalImage]) -> None:
    frame = from_pydicom("examples_rgb_color.dcm")  # 320 x 240
    found = overview(frame, 2, 2)
    assert [region.box for region in found.regions] == [
        (0.0, 0.0, 160.0, 120.0),
        (160.0, 0.0, 320.0, 120.0),
        (0.0, 120.0, 160.0, 240.0),
        (160.0, 120.0, 320.0, 240.0),
    ]
    untouched = (found.images[0].pixels == frame.pixels).all(axis=2)
    assert untouched[130:, 200:].all()  # within tile 4, beside its number
    assert not untouched[:, 160].any()
