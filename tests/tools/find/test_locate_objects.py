"""locate_objects: drawn cells by colour, size and shape; labelled white cells."""

import json
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.find.locate_objects import locate_objects
from tools.geometry import intersection_over_union
from tools.images.image import MedicalImage
from tools.images.load import load_image


def locate(image: MedicalImage, colour: str, **arguments: object) -> Evidence:
    defaults = {"image": 1, "colour": colour, "smallest": 20, "largest": 999, "shape": "any"}
    return locate_objects.apply({**defaults, **arguments}, [image])


@pytest.fixture
def smear() -> MedicalImage:
    """Pale ground, a red disk, a large and a small purple one, a long purple bar."""
    pixels = np.full((400, 400, 3), (235, 225, 230), np.uint8)
    row, column = np.mgrid[0:400, 0:400]
    pixels[(row - 80) ** 2 + (column - 80) ** 2 <= 30**2] = (220, 60, 50)
    pixels[(row - 100) ** 2 + (column - 280) ** 2 <= 40**2] = (90, 40, 150)
    pixels[(row - 300) ** 2 + (column - 80) ** 2 <= 12**2] = (90, 40, 150)
    pixels[290:306, 200:350] = (90, 40, 150)
    return MedicalImage(pixels, spacing=(0.5, 0.5))


def test_by_colour(smear: MedicalImage) -> None:
    (red,) = locate(smear, "red").regions
    assert red.box == pytest.approx((50, 50, 111, 111), abs=3)
    assert len(locate(smear, "purple").regions) == 3
    assert locate(smear, "green").text == "0 objects (green) in image 1."


def test_by_size_and_shape(smear: MedicalImage) -> None:
    (large,) = locate(smear, "purple", smallest=150).regions
    assert large.box == pytest.approx((240, 60, 321, 141), abs=4)
    assert len(locate(smear, "purple", largest=100).regions) == 1
    (bar,) = locate(smear, "purple", shape="long").regions
    assert bar.box == pytest.approx((200, 290, 350, 306), abs=3)
    found = locate(smear, "purple", shape="round")
    assert len(found.regions) == 2
    # pi * 40^2 pixels of 0.25 mm2
    assert found.measurements[1].value == pytest.approx(np.pi * 1600 / 4, rel=0.06)
    assert found.measurements[1].unit == "mm2"


def test_bright_and_dark_work_on_grey() -> None:
    pixels = np.full((300, 200), 20000, np.uint16)
    pixels[100:150, 50:100] = 60000
    pixels[200:250, 50:100] = 100
    grey = MedicalImage(pixels)
    assert locate(grey, "bright").regions[0].box == pytest.approx((50, 100, 100, 150), abs=3)
    assert locate(grey, "dark").regions[0].box == pytest.approx((50, 200, 100, 250), abs=3)
    with pytest.raises(ToolRetry, match="is grey, so nothing in it is red"):
        locate(grey, "red")
    with pytest.raises(ToolRetry, match="the other way"):
        locate(grey, "dark", smallest=50, largest=40)


def test_labelled_white_cells(data: Path) -> None:
    records = json.loads((data / "bccd" / "annotations.json").read_text())[:12]
    best = []
    for each in records:
        found = locate(load_image(data / "bccd" / each["file"]), "purple", smallest=90)
        for cell in each["objects"]:
            if cell["label"] == "WBC":
                best.append(max(intersection_over_union(region.box, tuple(cell["box"])) for region in found.regions))
    assert np.median(best) > 0.65
