"""compare_regions: panels of the right size and content, in mm only where both images have a spacing."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.images.image import MedicalImage
from tools.images.side_by_side import GAP
from tools.look.compare_regions import compare_regions


def compare(first: MedicalImage, box: list[int], second: MedicalImage, other_box: list[int]):
    arguments = {"image": 1, "box": box, "other_image": 2, "other_box": other_box}
    return compare_regions.apply(arguments, [first, second])


def square(spacing: tuple[float, float] | None, value: int = 100) -> MedicalImage:
    return MedicalImage(np.full((999, 999), value, np.uint8), spacing)


def test_pixels_against_pixels_are_shown_as_they_are(noise: MedicalImage) -> None:
    found = compare(noise, [0, 0, 250, 250], noise, [500, 500, 999, 999])
    (view,) = found.images
    # 250 / 999 * 512 = 128.1, so 129 pixels; 500 / 999 * 512 = 256.3, so from 256: 256 pixels
    assert view.pixels.shape == (256, 129 + GAP + 256)
    assert (view.pixels[:129, :129] == noise.pixels[:129, :129]).all()
    assert (view.pixels[:, 129 + GAP :] == noise.pixels[256:, 256:]).all()
    assert "not in mm" in found.text
    assert view.spacing is None


def test_millimetres_where_both_know_them() -> None:
    # 100 px of 0.5 mm are 50 mm, 100 px of 1 mm are 100 mm: at 0.5 mm a pixel, 100 and 200 pixels
    found = compare(square((0.5, 0.5)), [0, 0, 100, 100], square((1.0, 1.0), 200), [0, 0, 100, 100])
    (view,) = found.images
    assert view.pixels.shape == (200, 100 + GAP + 200)
    assert "(in mm)" in found.text
    assert found.regions[1].image == square((1.0, 1.0), 200).id


def test_grey_beside_colour_is_colour(noise: MedicalImage) -> None:
    colour = MedicalImage(np.zeros((50, 50, 3), np.uint8))
    (view,) = compare(noise, [0, 0, 99, 99], colour, [0, 0, 999, 999]).images
    assert view.pixels.ndim == 3


def test_a_box_that_would_vanish_is_sent_back() -> None:
    with pytest.raises(ToolRetry, match="vanish"):
        compare(square((50.0, 50.0)), [0, 0, 999, 999], square((0.01, 0.01)), [0, 0, 9, 9])


def test_two_real_cts_at_one_scale(from_pydicom: Callable[[str], MedicalImage]) -> None:
    small, large = from_pydicom("CT_small.dcm"), from_pydicom("693_J2KI.dcm")
    found = compare(small, [0, 0, 999, 999], large, [0, 0, 999, 999])
    # 128 px of 0.661468 mm are 84.67 mm, 512 px of 0.478516 mm are 245 mm; at 0.478516 mm a pixel: 176.9 and 512
    assert found.images[0].size == (177 + GAP + 512, 512)
    assert "(in mm)" in found.text
    assert (found.images[0].pixels[:, 177 + GAP :] == np.asarray(large.display())).all()
    assert [round(each.spacing[0], 3) for each in found.images[0].facts.regions] == [0.478, 0.479]
