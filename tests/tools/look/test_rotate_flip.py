"""rotate_flip: six pixels turned by hand, spacing turned with them, nothing resampled."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tools.errors import ToolRetry
from tools.images.image import MedicalImage
from tools.look.rotate_flip import rotate_flip

SIX = MedicalImage(np.array([[1, 2, 3], [4, 5, 6]], np.int16), spacing=(0.5, 0.25))


def turn(degrees: int = 0, flip: str = "none", image: MedicalImage = SIX) -> MedicalImage:
    return rotate_flip.apply({"image": 1, "degrees": degrees, "flip": flip}, [image]).images[0]


@pytest.mark.parametrize(
    ("degrees", "flip", "expected"),
    [
        (90, "none", [[4, 1], [5, 2], [6, 3]]),
        (180, "none", [[6, 5, 4], [3, 2, 1]]),
        (270, "none", [[3, 6], [2, 5], [1, 4]]),
        (0, "left_right", [[3, 2, 1], [6, 5, 4]]),
        (0, "top_bottom", [[4, 5, 6], [1, 2, 3]]),
        (90, "left_right", [[6, 3], [5, 2], [4, 1]]),
    ],
)
def test_by_hand(degrees: int, flip: str, expected: list[list[int]]) -> None:
    view = turn(degrees, flip)
    assert view.pixels.tolist() == expected
    assert view.pixels.dtype == np.int16
    assert view.spacing == ((0.25, 0.5) if degrees in (90, 270) else (0.5, 0.25))


def test_four_quarters_are_none_and_colour_works() -> None:
    colour = MedicalImage(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8))
    image = colour
    for _ in range(4):
        image = turn(90, image=image)
    assert (image.pixels == colour.pixels).all()


def test_nothing_to_do_is_sent_back() -> None:
    with pytest.raises(ToolRetry, match="changes nothing"):
        turn()


@pytest.mark.parametrize(
    ("degrees", "flip", "theirs"),
    [
        (90, "none", Image.Transpose.ROTATE_270),  # Pillow turns the other way
        (180, "none", Image.Transpose.ROTATE_180),
        (0, "left_right", Image.Transpose.FLIP_LEFT_RIGHT),
        (0, "top_bottom", Image.Transpose.FLIP_TOP_BOTTOM),
        (270, "left_right", Image.Transpose.TRANSPOSE),
        (90, "left_right", Image.Transpose.TRANSVERSE),
    ],
)
def test_a_real_ct_against_pillow(
    from_pydicom: Callable[[str], MedicalImage], degrees: int, flip: str, theirs: Image.Transpose
) -> None:
    ct = from_pydicom("CT_small.dcm")
    view = turn(degrees, flip, ct)
    assert (np.asarray(view.display()) == np.asarray(ct.display().transpose(theirs))).all()
    assert view.facts.unit == "HU"


def test_the_sides_of_the_patient_turn_with_a_real_ct(from_pydicom: Callable[[str], MedicalImage]) -> None:
    # the right edge is the patient's left, the lower edge the back
    ct = from_pydicom("CT_small.dcm")
    assert turn(90, image=ct).facts.orientation == ("A", "L")
    assert turn(0, "left_right", ct).facts.orientation == ("R", "P")
