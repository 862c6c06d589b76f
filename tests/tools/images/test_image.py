"""MedicalImage: identity by content, pixels kept, display."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from tools.errors import ImageError
from tools.images.image import MedicalImage


def grey(*values: int, dtype: str = "uint8") -> np.ndarray:
    return np.array([values], dtype=dtype)


def test_the_same_content_has_the_same_id() -> None:
    assert MedicalImage(grey(1, 2, 3)).id == MedicalImage(grey(1, 2, 3)).id
    assert len(MedicalImage(grey(1, 2, 3)).id) == 64


@pytest.mark.parametrize(
    "other",
    [
        MedicalImage(grey(1, 2, 4)),
        MedicalImage(grey(1, 2, 3).T),
        MedicalImage(grey(1, 2, 3), spacing=(1, 1)),
        MedicalImage(grey(1, 2, 3), window=(40, 400)),
        MedicalImage(grey(1, 2, 3, dtype="int16")),
    ],
    ids=["pixels", "shape", "spacing", "window", "type"],
)
def test_whatever_changes_what_is_seen_or_measured_changes_the_id(other: MedicalImage) -> None:
    assert other.id != MedicalImage(grey(1, 2, 3)).id


def test_the_order_of_bytes_and_the_layout_of_an_array_do_not_change_the_id() -> None:
    values = np.arange(12, dtype=np.uint16).reshape(3, 4)
    same = MedicalImage(values).id
    assert MedicalImage(values.astype(">u2")).id == same
    assert MedicalImage(np.asfortranarray(values)).id == same
    assert MedicalImage(np.repeat(values, 2, axis=1)[:, ::2]).id == same


def test_pixels_cannot_be_changed_neither_here_nor_through_the_callers_array() -> None:
    mine = grey(1, 2, 3)
    image = MedicalImage(mine)
    mine[0, 0] = 99
    assert image.pixels[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0] = 5
    with pytest.raises(FrozenInstanceError):
        image.spacing = (1.0, 1.0)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("pixels", "spacing", "window", "said"),
    [
        (np.zeros((2, 2, 4), np.uint8), None, None, "(2, 2, 4)"),
        (np.zeros((5,), np.uint8), None, None, "(5,)"),
        (np.zeros((0, 5), np.uint8), None, None, "(0, 5)"),
        (np.zeros((2, 2), np.float64), None, None, "float64"),
        (np.zeros((2, 2), np.uint8), (0.5, 0.0), None, "above 0"),
        (np.zeros((2, 2), np.uint8), (0.5, float("nan")), None, "finite"),
        (np.zeros((2, 2), np.uint8), (0.5,), None, "two numbers"),
        (np.zeros((2, 2), np.uint8), None, (40, -1), "width above 0"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_was_got(pixels, spacing, window, said) -> None:
    with pytest.raises(ImageError) as error:
        MedicalImage(pixels, spacing=spacing, window=window)
    assert said in str(error.value)
    assert "expected" in str(error.value)


def test_8_bit_is_displayed_as_it_is() -> None:
    picture = MedicalImage(grey(0, 7, 255)).display()
    assert (picture.mode, picture.size) == ("L", (3, 1))
    assert list(np.asarray(picture)[0]) == [0, 7, 255]
    colour = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert MedicalImage(colour).display().mode == "RGB"
    assert (np.asarray(MedicalImage(colour).display()) == colour).all()


def test_a_window_makes_greys_linear_in_between() -> None:
    # centre 40, width 400: -160 is black, 240 is white; -60 is a quarter: 63.75, 140 three quarters: 191.25
    image = MedicalImage(grey(-1000, -160, -60, 40, 140, 240, 3000, dtype="int16"), window=(40, 400))
    assert list(np.asarray(image.display())[0]) == [0, 0, 64, 128, 191, 255, 255]


def test_without_a_window_deep_pixels_are_spread_over_the_greys() -> None:
    values = np.linspace(1000, 3000, 201).astype(np.uint16).reshape(3, 67)
    shown = np.asarray(MedicalImage(values).display())
    assert shown.min() == 0
    assert shown.max() == 255
    assert shown[1, 33] in (127, 128)  # 2000, the middle


def test_display_bears_flat_and_partly_undefined_images() -> None:
    assert np.asarray(MedicalImage(np.full((2, 2), 500, np.uint16)).display()).std() == 0
    half = np.array([[np.nan, 1.0, 2.0, np.inf]], np.float32)
    assert np.asarray(MedicalImage(half).display())[0, 0] == 0
    nothing = np.full((2, 2), np.nan, np.float32)
    assert (np.asarray(MedicalImage(nothing).display()) == 0).all()


def test_a_crop_keeps_pixels_spacing_and_greys(ct: MedicalImage) -> None:
    view = ct.crop((10, 20, 30, 40))
    assert (view.pixels == ct.pixels[20:40, 10:30]).all()
    assert view.spacing == (0.5, 0.25)
    # greys do not change with the zoom, though the values in the crop alone span less
    assert (np.asarray(view.display()) == np.asarray(ct.display())[20:40, 10:30]).all()


@pytest.mark.parametrize("box", [(0, 0, 65, 10), (-1, 0, 5, 5), (5, 5, 5, 9), (9, 5, 5, 9)])
def test_a_crop_outside_or_without_area_is_refused(ct: MedicalImage, box) -> None:
    with pytest.raises(ImageError, match="64 x 48"):
        ct.crop(box)


def test_a_derived_picture_must_have_the_same_size(ct: MedicalImage) -> None:
    with pytest.raises(ImageError, match="expected the size"):
        ct.derived(np.zeros((48, 63), np.uint8))


def test_a_number_is_no_part_of_the_identity(ct: MedicalImage) -> None:
    third = ct.numbered(3)
    assert (third.number, ct.number) == (3, 1)
    assert third.id == ct.id
    assert third.pixels is ct.pixels
