"""find_lungs: drawn lungs are found where they were drawn; labelled lungs; no lungs are not claimed to be seen."""

import json
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolFailed
from tools.evidence import Evidence
from tools.find.find_lungs import find_lungs
from tools.geometry import intersection_over_union
from tools.images.image import MedicalImage
from tools.images.load import load_image


def find(image: MedicalImage) -> Evidence:
    return find_lungs.apply({"image": 1}, [image])


def chest(dtype: type = np.uint8, scale: int = 1) -> MedicalImage:
    """A bright body with two dark ellipses."""
    row, column = np.mgrid[0:400, 0:500]
    pixels = np.full((400, 500), 180)
    for x in (140, 360):
        pixels[((column - x) / 80) ** 2 + ((row - 180) / 130) ** 2 <= 1] = 60
    return MedicalImage((pixels * scale).astype(dtype))


@pytest.mark.parametrize("image", [chest(), chest(np.uint16, 200)])
def test_drawn_lungs(image: MedicalImage) -> None:
    right, left = find(image).regions
    assert (right.label, left.label) == ("right lung", "left lung")
    # boxes are loose, as readers draw them
    assert intersection_over_union(right.box, (60, 50, 220, 310)) > 0.6
    assert intersection_over_union(left.box, (280, 50, 440, 310)) > 0.6


def test_what_is_not_seen_is_said() -> None:
    dot = np.full((100, 100), 200, np.uint8)
    dot[50, 50] = 0
    assert find(MedicalImage(dot)).text.count("(not seen: its usual place)") == 2
    with pytest.raises(ToolFailed, match="everywhere"):
        find(MedicalImage(np.zeros((50, 50), np.uint8)))
    with pytest.raises(ToolFailed, match="at least 32 a side"):
        find(MedicalImage(np.zeros((10, 50), np.uint8)))


def test_labelled_lungs(data: Path) -> None:
    records = json.loads((data / "cxr_lungs" / "annotations.json").read_text())[:12]
    overlaps = []
    for each in records:
        for region, side in zip(
            find(load_image(data / "cxr_lungs" / each["file"])).regions, ("right", "left"), strict=True
        ):
            x, y, width, height = each["boxes"][side]
            overlaps.append(intersection_over_union(region.box, (x, y, x + width, y + height)))
    assert np.median(overlaps) > 0.7
