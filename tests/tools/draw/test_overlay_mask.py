"""overlay_mask: a tint by hand, exactly where the mask is; a smaller mask covers the same view."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.draw.overlay_mask import overlay_mask
from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.drawing import COLOURS
from tools.images.image import MedicalImage


def overlay(image: MedicalImage, mask: MedicalImage, **arguments: object) -> Evidence:
    defaults = {"image": 1, "mask_image": 2, "level": 128, "colour": "yellow", "opacity": 40}
    return overlay_mask.apply({**defaults, **arguments}, [image, mask])


def test_the_tint_by_hand() -> None:
    image = MedicalImage(np.full((100, 100), 100, np.uint8))
    mask = np.zeros((100, 100), np.uint8)
    mask[20:40, 30:80] = 255
    found = overlay(image, MedicalImage(mask))
    (view,) = found.images
    # inside: 0.6 * 100 + 0.4 * (255, 200, 0); at its border the full colour; outside as it was
    assert view.pixels[30, 50].tolist() == [162, 140, 60]
    assert tuple(view.pixels[20, 50]) == COLOURS[0]
    assert (view.pixels[mask == 0] == 100).all()
    assert found.measurements[0].value == pytest.approx(10)
    assert found.regions[0].box == (30, 20, 80, 40)


def test_a_mask_of_half_the_size_covers_the_same_view() -> None:
    image = MedicalImage(np.zeros((100, 100, 3), np.uint8))
    mask = np.zeros((50, 50), np.uint16)
    mask[10:20, 10:20] = 60000
    assert overlay(image, MedicalImage(mask)).regions[0].box == (20, 20, 40, 40)


def test_what_cannot_be_laid_over_is_sent_back() -> None:
    image = MedicalImage(np.zeros((100, 100), np.uint8))
    with pytest.raises(ToolRetry, match="lower the level"):
        overlay(image, image)
    with pytest.raises(ToolRetry, match="two of the same view"):
        overlay(image, MedicalImage(np.zeros((100, 200), np.uint8)))


def test_a_real_segmentation_on_a_real_ct(from_pydicom: Callable[[str], MedicalImage]) -> None:
    ct, liver = from_pydicom("693_J2KI.dcm"), from_pydicom("liver_1frame.dcm")  # both 512 x 512
    found = overlay(ct, liver, level=1)
    inside = liver.pixels > 0
    assert found.measurements[0].value == pytest.approx(100 * inside.mean())
    rows, columns = np.nonzero(inside)
    assert found.regions[0].box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    grey = np.repeat(np.asarray(ct.display())[:, :, None], 3, axis=2)
    assert (found.images[0].pixels != grey).any(axis=2)[inside].mean() > 0.99
    assert (found.images[0].pixels == grey)[~inside].all()
