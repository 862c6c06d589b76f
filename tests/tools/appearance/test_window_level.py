"""window_level: greys by hand, presets only where Hounsfield units can be."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from pydicom.data import get_testdata_file

from tools.appearance.window_level import PRESETS, window_level
from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.facts import Facts
from tools.images.image import MedicalImage
from tools.images.load import load_image


def show(image: MedicalImage, **arguments: object) -> Evidence:
    return window_level.apply({"centre": None, "width": None, "preset": None, "image": 1, **arguments}, [image])


VALUES = np.array([[-1000, -160, -60, 40, 140, 240, 3000]], np.int16)
HU = MedicalImage(VALUES, spacing=(1.0, 1.0), facts=Facts("CT", "HU"))


def test_centre_and_width() -> None:
    found = show(HU, centre=40.0, width=400.0)
    (view,) = found.images
    # black at 40 - 200, white at 40 + 200; -60 is a quarter (63.75), 40 half (127.5), 140 three quarters (191.25)
    assert view.pixels.tolist() == [[0, 0, 64, 128, 191, 255, 255]]
    assert view.pixels.dtype == np.uint8
    assert found.text == "Image 1 with window centre 40, width 400."
    assert view.spacing == (1.0, 1.0)
    assert view.origin().window == (40.0, 400.0)
    assert view.origin().source == HU.id


def test_a_preset_is_its_centre_and_width() -> None:
    # brain: 40 / 80, so 0 HU is black and 80 HU white
    assert show(HU, preset="brain").images[0].id == show(HU, centre=40.0, width=80.0).images[0].id
    assert PRESETS["lung"] == (-600, 1500)


def test_a_width_below_1_works_on_shares() -> None:
    shares = MedicalImage(np.array([[0.0, 0.25, 0.5]], np.float32))
    assert show(shares, centre=0.25, width=0.5).images[0].pixels.tolist() == [[0, 128, 255]]


def test_a_preset_needs_hounsfield_units(noise: MedicalImage) -> None:
    with pytest.raises(ToolRetry, match="has no unit: its values go from 0 to 255; give centre and width in those"):
        show(noise, preset="lung")
    # signed values that no file calls Hounsfield units, and those of another unit
    with pytest.raises(ToolRetry, match="has no unit: its values go from -1000 to 3000"):
        show(MedicalImage(VALUES), preset="lung")
    with pytest.raises(ToolRetry, match="has Bq/ml"):
        show(MedicalImage(VALUES, facts=Facts("PT", "Bq/ml")), preset="lung")


def test_a_real_ct_is_shown_in_the_window_of_soft_tissue() -> None:
    ct = load_image(get_testdata_file("CT_small.dcm", download=False))
    (view,) = show(ct, preset="soft_tissue").images
    # 50 / 400: black up to -150 HU, white from 250 HU
    assert ((view.pixels == 0) == (ct.pixels <= -150 + 400 / 510)).all()
    assert ((view.pixels == 255) == (ct.pixels >= 250 - 400 / 510)).all()


@pytest.mark.parametrize("arguments", [{}, {"centre": 40.0}, {"width": 1.0}, {"preset": "lung", "width": 1.0}])
def test_half_a_window_or_two_are_sent_back(arguments: dict[str, object]) -> None:
    with pytest.raises(ToolRetry, match="expected"):
        show(HU, **arguments)


@pytest.mark.parametrize("width", [0, -5, float("nan"), float("inf")])
def test_a_width_must_be_a_positive_number(width: float) -> None:
    with pytest.raises(ValidationError):
        window_level.args_schema.model_validate({"image": 1, "centre": 0, "width": width})


def test_a_real_chest_x_ray_gains_contrast(data: Path) -> None:
    x_ray = load_image(sorted((data / "cxr_lungs" / "images").iterdir())[0])
    (view,) = show(x_ray, centre=128.0, width=64.0).images
    assert view.size == x_ray.size
    # black at 96 and below, white at 160 and above, nothing else at the ends
    assert ((view.pixels == 0) == (x_ray.pixels <= 96)).all()
    assert ((view.pixels == 255) == (x_ray.pixels >= 160)).all()
