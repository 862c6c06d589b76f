"""Provenance: boxes end in the original's pixels, whatever lies between; nothing gets lost on the way through JSON."""

import json

import numpy as np
import pytest

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.provenance import Operation, Provenance, Section


def test_an_original_has_none_and_its_origin_is_all_of_itself(ct: MedicalImage) -> None:
    assert ct.provenance is None
    assert ct.origin() == Provenance(source=ct.id, box=(0.0, 0.0, 64.0, 48.0))


def test_a_crop_of_a_crop_is_told_in_the_originals_pixels() -> None:
    image = MedicalImage(np.zeros((300, 400), np.uint8))
    twice = image.crop((100, 50, 300, 250)).crop((20, 30, 60, 90))
    assert twice.provenance is not None
    assert twice.provenance.source == image.id
    assert twice.provenance.box == (120.0, 80.0, 160.0, 140.0)
    # and a box in that view: 10, 10 .. 20, 20 -> 130, 90 .. 140, 100
    assert twice.in_source((10.0, 10.0, 20.0, 20.0)) == (image.id, (130.0, 90.0, 140.0, 100.0))


def test_an_enlarged_view_is_taken_into_account() -> None:
    # 50 x 40 source pixels shown as 100 x 80: a pixel of the view is half a source pixel
    view = Provenance("a" * 64, (10.0, 20.0, 60.0, 60.0))
    assert view.in_source((100, 80), (20.0, 40.0, 100.0, 80.0)) == (20.0, 40.0, 60.0, 60.0)


def test_a_window_stays_known_in_later_crops(ct: MedicalImage) -> None:
    windowed = ct.derived(np.zeros((48, 64), np.uint8), window=(40.0, 400.0))
    view = windowed.crop((0, 0, 10, 10))
    assert view.provenance is not None
    assert view.provenance.window == (40.0, 400.0)


def test_it_survives_json() -> None:
    whole = Provenance(
        "b" * 64,
        (1.5, 2.0, 3.25, 4.0),
        (40.0, 400.0),
        (Operation("zoom_in", "1", {"image": "b" * 64, "box": [1, 2, 3, 4]}),),
        Section("coronal", 3, 30),
    )
    assert Provenance.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole


@pytest.mark.parametrize(
    "change",
    [
        {"box": [1, 2, 3]},
        {"box": "none"},
        {"window": [1]},
        {"operations": [{"name": "x"}]},
        {"operations": None},
        {"section": {"plane": "axial"}},
    ],
)
def test_what_cannot_be_read_is_an_image_error(change) -> None:
    good = Provenance("c" * 64, (0.0, 0.0, 1.0, 1.0)).to_dict()
    with pytest.raises(ImageError, match="expected"):
        Provenance.from_dict({**good, **change})
