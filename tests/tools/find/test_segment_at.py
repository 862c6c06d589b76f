"""segment_at: a square by hand, connected only, its hole filled; a cell of a real smear."""

import json
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.find.segment_at import segment_at
from tools.images.image import MedicalImage
from tools.images.load import load_image


def segment(image: MedicalImage, point: list[int], tolerance: int = 10) -> Evidence:
    return segment_at.apply({"image": 1, "point": point, "tolerance": tolerance}, [image])


def two_squares(scale: int = 1, dtype: type = np.uint8) -> np.ndarray:
    pixels = np.full((200, 200), 50, np.int64)
    pixels[40:100, 20:80] = 200
    pixels[60:66, 40:46] = 120
    pixels[140:180, 140:180] = 200
    return (pixels * scale).astype(dtype)


@pytest.mark.parametrize("image", [two_squares(), two_squares(200, np.uint16), np.dstack([two_squares()] * 3)])
def test_the_square_of_the_point_alone_with_its_hole(image: np.ndarray) -> None:
    found = segment(MedicalImage(image, spacing=(0.5, 0.5)), [150, 300])
    # 60 x 60 pixels of 0.25 mm2, the blur may take a row at the border
    assert found.measurements[0].value == pytest.approx(900, rel=0.08)
    assert found.measurements[0].unit == "mm2"
    assert found.regions[0].box == pytest.approx((20, 40, 80, 100), abs=1)


def test_tolerance_grows_the_region_until_it_is_all() -> None:
    ramp = MedicalImage(np.tile(np.linspace(0, 255, 256), (60, 1)).astype(np.uint8))
    areas = [segment(ramp, [500, 500], tolerance).measurements[0].value for tolerance in (5, 10, 20)]
    # a tolerance of p percent is 2 * p percent of the ramp
    assert areas == pytest.approx([60 * 256 * share for share in (0.1, 0.2, 0.4)], rel=0.1)
    with pytest.raises(ToolRetry, match="smaller tolerance"):
        segment(ramp, [500, 500], 60)


def test_a_flat_image_has_no_region() -> None:
    with pytest.raises(ToolFailed, match="everywhere"):
        segment(MedicalImage(np.zeros((9, 9), np.uint8)), [1, 1])


def test_a_labelled_nucleus(data: Path) -> None:
    from PIL import Image

    record = json.loads((data / "dsb2018" / "annotations.json").read_text())[0]
    labels = np.asarray(Image.open(data / "dsb2018" / record["labels"]))
    areas = np.bincount(labels.ravel())
    largest = int(np.argmax(areas[1:])) + 1
    rows, columns = np.nonzero(labels == largest)
    point = [
        round((float(np.median(each)) + 0.5) / side * 999)
        for each, side in ((columns, labels.shape[1]), (rows, labels.shape[0]))
    ]
    found = segment(load_image(data / "dsb2018" / record["file"]), point, 15)
    x1, y1, x2, y2 = found.regions[0].box
    assert x1 <= np.median(columns) <= x2 and y1 <= np.median(rows) <= y2
    assert found.measurements[0].value < 4 * areas[largest]
