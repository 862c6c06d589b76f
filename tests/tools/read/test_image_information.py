"""image_information: what is known and what is not, in a sentence that a policy can act on."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from tools.evidence import Evidence, Measurement
from tools.images.facts import CalibratedRegion, Facts
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.read.image_information import image_information

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def tell(image: MedicalImage) -> Evidence:
    return image_information.apply({"image": 1}, [image])


def test_a_real_ct() -> None:
    found = tell(load_image(FILES / "CT_small.dcm"))
    # its stored values, 128 to 2191, less 1024
    assert found.text == (
        "Image 1: CT, greys, 128 x 128 pixels. Values -896 to 1167 HU. Its right edge is the patient's left, its lower "
        "edge the back. Calibrated: 0.661468 mm across, 0.661468 mm down a pixel."
    )
    assert Measurement(name="row spacing", value=0.661468, unit="mm") in found.measurements


def test_a_real_ultrasound_is_calibrated_in_a_part() -> None:
    text = tell(load_image(FILES / "examples_palette.dcm")).text
    # x 120 .. 800 of 800 and y 60 .. 350 of 350 in 0-999
    assert "Calibrated only inside [150, 171, 999, 999]" in text
    assert "US, colour, 800 x 350 pixels" in text


def test_a_real_radiograph_is_not_calibrated_for_the_body() -> None:
    text = tell(load_image(FILES / "dicomdirtests/77654033/CR1/6154")).text
    assert "Not calibrated for the body: 0.1 x 0.1 mm a pixel on the detector or film" in text


def test_a_real_volume() -> None:
    text = tell(load_image(FILES / "dicomdirtests/98892001/CT5N")).text
    assert "a volume of 5 slices of 16 x 16 pixels; number 3 is shown" in text
    assert "2.5 mm between slices" in text


def test_a_picture_that_knows_nothing(noise: MedicalImage) -> None:
    found = tell(noise)
    assert "unknown modality, greys, 512 x 512 pixels. Values 0 to 255, without a unit." in found.text
    assert found.text.endswith("Not calibrated: the file gives no spacing. Measures are in pixels.")
    assert [each.name for each in found.measurements] == ["width", "height"]


@pytest.mark.parametrize(("said", "text"), [(True, "Text is burnt in."), (False, "No identifying text is burnt in.")])
def test_burnt_in_text(said: bool, text: str) -> None:
    image = MedicalImage(np.zeros((9, 9), np.uint8), facts=Facts(burnt_in_text=said))
    assert tell(image).text.endswith(text)


def test_a_slice_tells_its_place_and_a_view_inside_a_region_its_spacing() -> None:
    region = CalibratedRegion((10, 10, 90, 90), (0.3, 0.2))
    image = MedicalImage(np.zeros((100, 100), np.uint8), facts=Facts(modality="US", regions=(region,)))
    assert "Calibrated: 0.2 mm across, 0.3 mm down" in tell(image.crop((20, 20, 60, 60))).text


def test_values_that_are_not_numbers_are_left_out() -> None:
    assert "Values 1 to 2," in tell(MedicalImage(np.array([[np.nan, 1.0, 2.0]], np.float32))).text
