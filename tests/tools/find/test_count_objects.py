"""count_objects: drawn disks by hand, in grey of 16 bits and colour; labelled nuclei."""

import json
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.find.count_objects import count_objects
from tools.images.image import MedicalImage
from tools.images.load import load_image


def count(image: MedicalImage, objects: str = "auto", box: list[int] | None = None) -> Evidence:
    return count_objects.apply({"image": 1, "objects": objects, "box": box}, [image])


def seven(low: int, high: int, dtype: type = np.uint8) -> np.ndarray:
    """Seven disks of radius 10 on 200 x 200, the last two touching."""
    row, column = np.mgrid[0:200, 0:200]
    places = [(30, 30), (90, 30), (160, 40), (30, 120), (100, 100), (150, 150), (166, 150)]
    mask = np.any([(row - y) ** 2 + (column - x) ** 2 <= 100 for x, y in places], axis=0)
    return np.where(mask, high, low).astype(dtype)


@pytest.mark.parametrize(
    "image",
    [
        MedicalImage(seven(10, 200)),
        MedicalImage(seven(200, 10)),
        MedicalImage(seven(-1000, 400, np.int16)),
        MedicalImage(seven(1000, 50000, np.uint16)),
        MedicalImage(np.where(seven(0, 1)[..., None], (90, 40, 140), (230, 220, 235)).astype(np.uint8)),
    ],
)
def test_seven_disks(image: MedicalImage) -> None:
    found = count(image)
    assert found.measurements[0].value == 7
    assert found.text.startswith("7 ")
    assert len(found.regions) == 7
    assert found.images[0].size == image.size
    # pi * 100 = 314 pixels, drawn on a grid and blurred a little
    assert found.measurements[1].value == pytest.approx(314, rel=0.06)


def test_a_box_limits_and_spacing_gives_mm() -> None:
    found = count(MedicalImage(seven(10, 200), spacing=(0.5, 0.5)), box=[0, 0, 999, 400])
    assert found.measurements[0].value == 3
    assert found.measurements[1].unit == "mm2"
    assert all(region.box[3] <= 80 for region in found.regions)


def test_nothing_to_count_is_said() -> None:
    flat = MedicalImage(np.full((50, 50), 9, np.uint8))
    with pytest.raises(ToolFailed, match="is 9 everywhere"):
        count(flat)
    with pytest.raises(ToolRetry, match="choose one with some contrast"):
        count(flat, box=[0, 0, 500, 500])


def test_labelled_nuclei(data: Path) -> None:
    records = json.loads((data / "dsb2018" / "annotations.json").read_text())
    records = [each for each in records if each["stain"] == "fluorescence" and each["nuclei"] >= 10][:12]
    errors = [
        abs(count(load_image(data / "dsb2018" / each["file"])).measurements[0].value - each["nuclei"]) / each["nuclei"]
        for each in records
    ]
    assert np.median(errors) <= 0.15
