"""stain_separation: pure stains made by Beer and Lambert's law are told apart; nuclei are where they were labelled."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.appearance.stain_separation import stain_separation
from tools.errors import ToolFailed
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.load import load_image

VECTORS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Absorption of haematoxylin, eosin and DAB in red, green and blue (Ruifrok and Johnston 2001)."""


def separate(image: MedicalImage, stain: str) -> Evidence:
    return stain_separation.apply({"image": 1, "stain": stain}, [image])


def stained(stain: int) -> MedicalImage:
    """Left half bare glass, right half that stain alone: light falls to exp(-absorption)."""
    pixels = np.full((10, 20, 3), 255.0)
    pixels[:, 10:] = 255 * np.exp(-VECTORS[stain])
    return MedicalImage(np.rint(pixels).astype(np.uint8))


@pytest.mark.parametrize(("stain", "name"), list(enumerate(["haematoxylin", "eosin", "dab"])))
def test_a_pure_stain_is_found_alone(stain: int, name: str) -> None:
    image = stained(stain)
    for each in ("haematoxylin", "eosin", "dab"):
        found = separate(image, each)
        assert found.measurements[0].value == (50.0 if each == name else 0.0)
    assert "50 % of the image is stained" in separate(image, name).text
    (view,) = separate(image, name).images
    assert view.pixels[0, 0] == 255
    assert view.pixels[0, 15] == 0


def test_nuclei_hold_the_haematoxylin(data: Path) -> None:
    records = json.loads((data / "dsb2018" / "annotations.json").read_text())
    record = next(each for each in records if each["stain"] == "brightfield" and each["nuclei"] > 50)
    image = load_image(data / "dsb2018" / record["file"])
    nuclei = np.asarray(Image.open(data / "dsb2018" / record["labels"])) > 0
    picture = separate(image, "haematoxylin").images[0].pixels
    assert picture[nuclei].mean() < picture[~nuclei].mean() / 1.5


def test_grey_has_no_stains() -> None:
    with pytest.raises(ToolFailed, match="is grey"):
        separate(MedicalImage(np.zeros((4, 4), np.uint8)), "eosin")
