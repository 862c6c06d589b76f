"""sharpen: the amount by hand, at a pixel whose blur is known; flat parts stay."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.appearance.sharpen import sharpen
from tools.images.image import MedicalImage


def sharp(image: MedicalImage, radius: float = 2, amount: float = 1) -> MedicalImage:
    return sharpen.apply({"image": 1, "radius": radius, "amount": amount}, [image]).images[0]


def test_a_step_gets_rims_of_the_right_height() -> None:
    pixels = np.full((21, 200), 100, np.uint8)
    pixels[:, 100:] = 150
    made = sharp(MedicalImage(pixels), radius=20, amount=1).pixels[10].astype(int)
    # half a pixel right of the step the blur is 100 + 50 * Phi(0.5 / 20) = 125.5: 150 + (150 - 125.5) = 174.5
    assert made[100] == pytest.approx(174.5, abs=1)
    assert made[99] == pytest.approx(75.5, abs=1)
    # far from it nothing changes
    assert made[0] == 100
    assert made[199] == 150


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (20, 20, 3)])
def test_any_shape_and_a_constant_stay_as_they_are(shape: tuple[int, ...]) -> None:
    assert (sharp(MedicalImage(np.full(shape, 90, np.uint8))).pixels == 90).all()
    assert sharp(MedicalImage(np.full(shape, 90, np.uint16))).pixels.dtype == np.uint8


def test_a_real_ct_against_scipy(from_pydicom: Callable[[str], MedicalImage]) -> None:
    from scipy import ndimage

    ct = from_pydicom("CT_small.dcm")
    shown = np.asarray(ct.display(), np.float64)
    theirs = shown + 1.5 * (shown - ndimage.gaussian_filter(shown, 2))
    assert sharp(ct, 2, 1.5).pixels == pytest.approx(np.clip(theirs, 0, 255), abs=0.6)
