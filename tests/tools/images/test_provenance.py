"""Provenance: boxes end in the original's pixels, whatever lies between; nothing gets lost on the way through JSON."""

import json

import numpy as np
import pytest

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.provenance import Operation, Panel, Provenance, Section


def test_an_original_has_none_and_its_origin_is_all_of_itself(ct: MedicalImage) -> None:
    assert ct.provenance is None
    assert ct.origin() == Provenance.of(ct.id, (0.0, 0.0, 64.0, 48.0))


def test_a_crop_of_a_crop_is_told_in_the_originals_pixels() -> None:
    image = MedicalImage(np.zeros((300, 400), np.uint8))
    twice = image.crop((100, 50, 300, 250)).crop((20, 30, 60, 90))
    assert twice.provenance is not None
    assert twice.provenance.source == image.id
    assert twice.provenance.box == (120.0, 80.0, 160.0, 140.0)
    # and a box in that view: 10, 10 .. 20, 20 -> 130, 90 .. 140, 100
    assert twice.seen_in((10.0, 10.0, 20.0, 20.0))[0].box == (130.0, 90.0, 140.0, 100.0)


def test_an_enlarged_view_is_taken_into_account() -> None:
    # 50 x 40 source pixels shown as 100 x 80: a pixel of the view is half a source pixel
    view = Provenance.of("a" * 64, (10.0, 20.0, 60.0, 60.0))
    assert view.cropped((100, 80), (20.0, 40.0, 100.0, 80.0)).box == (20.0, 40.0, 60.0, 60.0)


def test_a_window_stays_known_in_later_crops(ct: MedicalImage) -> None:
    windowed = ct.derived(np.zeros((48, 64), np.uint8), window=(40.0, 400.0))
    view = windowed.crop((0, 0, 10, 10))
    assert view.provenance is not None
    assert view.provenance.window == (40.0, 400.0)


def test_it_survives_json() -> None:
    whole = Provenance(
        "b" * 64,
        (
            Panel("b" * 64, (1.5, 2.0, 3.25, 4.0), (0.0, 0.0, 0.5, 1.0), section=Section("coronal", 3, 30)),
            Panel("d" * 64, (0.0, 0.0, 9.0, 9.0), (0.5, 0.0, 1.0, 1.0), quarters=3, mirrored=True),
        ),
        (40.0, 400.0),
        (Operation("compare_regions", "1", {"image": "b" * 64, "box": [1, 2, 3, 4]}, output=2),),
    )
    assert Provenance.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole


def test_one_that_was_stored_before_there_were_panels_is_one_box() -> None:
    old = {"source": "e" * 64, "box": [1, 2, 3, 4], "window": None, "operations": []}
    assert Provenance.from_dict(old) == Provenance.of("e" * 64, (1.0, 2.0, 3.0, 4.0))


@pytest.mark.parametrize(
    "change",
    [
        {"panels": [{"source": "c" * 64, "box": [1, 2, 3]}]},
        {"panels": [{"source": "c" * 64, "box": "none"}]},
        {"panels": [{"box": [1, 2, 3, 4]}]},
        {"panels": ["none"]},
        {"window": [1]},
        {"operations": [{"name": "x"}]},
        {"operations": None},
        {"panels": [{"source": "c" * 64, "box": [1, 2, 3, 4], "section": {"plane": "axial"}}]},
    ],
)
def test_what_cannot_be_read_is_an_image_error(change) -> None:
    good = Provenance.of("c" * 64, (0.0, 0.0, 1.0, 1.0)).to_dict()
    with pytest.raises(ImageError, match="expected"):
        Provenance.from_dict({**good, **change})
