"""invert: 255 minus the grey that is shown; twice is once."""

from collections.abc import Callable

import numpy as np
from PIL import ImageOps

from tools.appearance.invert import invert
from tools.images.image import MedicalImage


def inverted(image: MedicalImage) -> MedicalImage:
    return invert.apply({"image": 1}, [image]).images[0]


def test_by_hand() -> None:
    assert inverted(MedicalImage(np.array([[0, 100, 255]], np.uint8))).pixels.tolist() == [[255, 155, 0]]
    hu = MedicalImage(np.array([[-160, 40, 240]], np.int16), window=(40, 400), spacing=(1.0, 1.0))
    # shown as 0, 128, 255
    view = inverted(hu)
    assert view.pixels.tolist() == [[255, 127, 0]]
    assert view.origin().window == (40, 400)
    assert view.spacing == (1.0, 1.0)


def test_colour_and_twice() -> None:
    colour = MedicalImage(np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8))
    assert (inverted(inverted(colour)).pixels == colour.pixels).all()


def test_a_real_ct_and_a_real_ultrasound_against_pillow(from_pydicom: Callable[[str], MedicalImage]) -> None:
    for name in ("CT_small.dcm", "examples_rgb_color.dcm"):
        image = from_pydicom(name)
        assert (inverted(image).pixels == np.asarray(ImageOps.invert(image.display()))).all()
