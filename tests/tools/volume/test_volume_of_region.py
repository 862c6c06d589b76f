"""volume_of_region: voxels counted by hand, millilitres only with all spacings."""

from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, Region
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.provenance import Section
from tools.images.volume import Volume
from tools.volume.volume_of_region import COLOUR, volume_of_region

WHOLE = [0, 0, 999, 999]


def measure(image: MedicalImage, **arguments: object) -> Evidence:
    count = image.volume.count if image.volume else 1
    return volume_of_region.apply({"image": 1, "box": WHOLE, "first": 1, "last": count, **arguments}, [image])


def sphere(radius: float, spacing: tuple[float, float, float] | None) -> MedicalImage:
    """A ball of 1000 in 0, in the middle of 40 slices of 60 x 60."""
    between, row, column = spacing or (1.0, 1.0, 1.0)
    z, y, x = np.mgrid[0:40, 0:60, 0:60]
    inside = ((z - 20) * between) ** 2 + ((y - 30) * row) ** 2 + ((x - 30) * column) ** 2 <= radius**2
    voxels = (inside * 1000).astype(np.int16)
    if spacing is None:
        return MedicalImage.of_volume(Volume(voxels))
    return MedicalImage.of_volume(Volume(voxels, between), (row, column))


def test_by_hand(numbered_voxels: MedicalImage) -> None:
    # 100 * slice + 10 * row + column from 100 to 213: slices 2 and 3 without the last row of slice 3: 12 + 8 = 20
    # voxels of 2.0 x 1.0 x 0.5 mm = 20 mm3 = 0.02 ml
    found = measure(numbered_voxels, low=100, high=213)
    assert found.measurements == (Measurement(name="volume", value=0.02, unit="ml"),)
    assert found.text.startswith("All from 100 to 213 HU, slices 1 to 5: 0.02 ml (20 voxels).")
    # in slices 3 and 4 only: 8 voxels
    assert measure(numbered_voxels, first=3, last=4, low=100, high=213).measurements[0].value == pytest.approx(0.008)
    # the left half: 10 of the 20; its box is told in the volume's pixels
    half = measure(numbered_voxels, box=[0, 0, 500, 999], low=100, high=213)
    assert half.measurements[0].value == pytest.approx(0.01)
    assert half.regions == (Region(image=numbered_voxels.id, box=(0, 0, 2, 3), section=Section("acquired", 1, 5)),)


def test_a_ball_has_the_volume_of_a_ball() -> None:
    found = measure(sphere(12.0, (1.0, 0.5, 0.8)), low=500, high=1500)
    assert found.measurements[0].unit == "ml"
    assert found.measurements[0].value == pytest.approx(4 / 3 * np.pi * 12**3 / 1000, rel=0.01)  # 7.238 ml


def test_without_spacing_voxels_and_it_says_so() -> None:
    found = measure(sphere(5.0, None), low=500, high=1500)
    assert found.measurements[0].unit == "voxels"
    assert "not all spacings are in the file, so no ml" in found.text


def test_the_largest_piece_alone() -> None:
    voxels = np.zeros((3, 10, 10), np.uint8)
    voxels[0, 1:3, 1:3] = 5  # 4
    voxels[0:2, 6:9, 6:9] = 5  # 18
    image = MedicalImage.of_volume(Volume(voxels))
    assert measure(image, low=1, high=9).measurements[0].value == 22
    assert measure(image, low=1, high=9, largest_piece=True).measurements[0].value == 18


def test_the_slice_that_holds_most_is_shown_with_an_outline() -> None:
    voxels = np.zeros((3, 10, 10), np.uint8)
    voxels[1, 2:7, 3:8] = 200
    (view,) = measure(MedicalImage.of_volume(Volume(voxels)), low=100, high=255).images
    assert view.origin().section == Section("acquired", 2, 2)
    outline = (view.pixels == COLOUR).all(axis=2)
    assert outline.sum() == 16  # the edge of 5 x 5
    assert not outline[4, 5]
    assert view.pixels[4, 5].tolist() == [200, 200, 200]


def test_nothing_found_is_zero_and_not_an_error(numbered_voxels: MedicalImage) -> None:
    assert measure(numbered_voxels, low=5000, high=6000).measurements[0].value == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"low": 5, "high": 4}, "low 5 above high 4"),
        ({"first": 3, "last": 2, "low": 0, "high": 1}, "slices 3 to 2"),
        ({"first": 0, "low": 0, "high": 1}, "has slices 1 to 5"),
        ({"box": [5, 5, 6, 900], "low": 0, "high": 1}, "holds no pixel"),
    ],
)
def test_calls_that_can_be_mended(numbered_voxels: MedicalImage, wrong, said: str) -> None:
    with pytest.raises(ToolRetry, match=said):
        measure(numbered_voxels, **wrong)


def test_a_real_dose_grid() -> None:
    import pydicom

    image = load_image(Path(pydicom.__file__).parent / "data/test_files/rtdose.dcm")
    assert image.volume is not None
    # 15 x 10 x 10 voxels of 5 x 10 x 10 mm: half a millilitre each
    low = float(np.median(image.volume.voxels))
    found = measure(image, low=low, high=1e9)
    assert found.measurements[0].value == pytest.approx((image.volume.voxels >= low).sum() * 0.5)
