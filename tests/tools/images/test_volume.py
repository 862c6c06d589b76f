"""Volumes: carried by an image, one hash, stored whole; planes by permutation only."""

import numpy as np
import pytest

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.provenance import Section
from tools.images.store import ImageStore
from tools.images.volume import Directions, Volume, layout, slab

STRAIGHT: Directions = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
VOXELS = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


def test_an_image_stands_for_a_volume_and_shows_its_middle_slice() -> None:
    image = MedicalImage.of_volume(Volume(VOXELS, 2.0, STRAIGHT), spacing=(0.5, 0.25))
    assert image.pixels.tolist() == VOXELS[1].tolist()
    assert image.size == (4, 3)
    assert image.origin().section == Section("acquired", 2, 2)
    view = image.crop((1, 0, 3, 2))
    assert view.volume is None
    assert view.origin().source == image.id
    assert view.origin().section == Section("acquired", 2, 2)


@pytest.mark.parametrize(
    "other",
    [
        Volume(VOXELS + 1, 2.0, STRAIGHT),
        Volume(VOXELS, 2.5, STRAIGHT),
        Volume(VOXELS, 2.0, None),
        Volume(VOXELS[1:], 2.0, STRAIGHT),
    ],
)
def test_whatever_differs_in_a_volume_makes_another_image(other: Volume) -> None:
    assert MedicalImage.of_volume(other).id != MedicalImage.of_volume(Volume(VOXELS, 2.0, STRAIGHT)).id
    assert MedicalImage.of_volume(other).id != MedicalImage(VOXELS[1]).id


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_a_volume_is_stored_whole_bit_by_bit(store: ImageStore, dtype: str, colours: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).integers(0, 255, (3, 4, 3, *colours)).astype(dtype)
    image = MedicalImage.of_volume(Volume(values, 0.1 + 0.2, ((0, 0.6, 0.8), (0, 1, 0), (1, 0, 0))), (0.7, 0.3))
    again = ImageStore(store.folder).get(store.put(image))
    assert again.id == image.id
    assert again.volume is not None
    assert again.volume.voxels.tobytes() == values.tobytes()
    assert again.volume.directions == ((0, 0.6, 0.8), (0, 1, 0), (1, 0, 0))


def test_three_slices_of_three_columns_are_no_colours(store: ImageStore) -> None:
    image = MedicalImage.of_volume(Volume(np.zeros((3, 4, 3), np.uint8)))
    assert store.path(store.put(image)).suffix in (".png", ".npy")
    assert ImageStore(store.folder).get(image.id).volume is not None


def test_arrays_with_three_spacings_are_volumes() -> None:
    image = load_image(VOXELS, spacing=(2.0, 0.5, 0.25))
    assert image.volume is not None
    assert (image.volume.slice_spacing, image.spacing) == (2.0, (0.5, 0.25))
    for wrong in (np.zeros((3, 4)), np.zeros((2, 3, 4, 5)), np.full((2, 3, 4), np.nan)):
        with pytest.raises(ImageError, match="expected"):
            load_image(wrong, spacing=(1, 1, 1))
    with pytest.raises(ImageError, match="for one picture"):
        load_image(MedicalImage(VOXELS[0]), spacing=(1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("voxels", "spacing", "directions"),
    [
        (np.zeros((3, 4), np.uint8), None, None),
        (np.zeros((0, 3, 4), np.uint8), None, None),
        (VOXELS, 0.0, None),
        (VOXELS, float("nan"), None),
        (VOXELS, 1.0, ((0, 0, 1), (0, 1, 0))),
    ],
)
def test_what_makes_no_sense_is_refused(voxels, spacing, directions) -> None:
    with pytest.raises(ImageError, match="expected"):
        Volume(voxels, spacing, directions)


def test_planes_of_a_straight_axial_scan() -> None:
    # voxel [slice, row, column]: slices to the head, rows to the back, columns to the left
    axial = slab(VOXELS, layout(STRAIGHT, "axial"), 1, 2)
    assert axial.tolist() == VOXELS.tolist()
    # coronal 1 is the front row of all slices, the head (slice 2) on top
    coronal = slab(VOXELS, layout(STRAIGHT, "coronal"), 1, 1)[0]
    assert coronal.tolist() == [[12, 13, 14, 15], [0, 1, 2, 3]]
    # sagittal 1 is the first column, the patient's right: the front on the left side, the head on top
    sagittal = slab(VOXELS, layout(STRAIGHT, "sagittal"), 1, 1)[0]
    assert sagittal.tolist() == [[12, 16, 20], [0, 4, 8]]


def test_planes_do_not_depend_on_how_it_was_scanned() -> None:
    # the same patient scanned in sagittal slices from left to right, rows to the feet, columns to the front
    other = np.ascontiguousarray(VOXELS.transpose(2, 0, 1)[::-1, ::-1, ::-1])
    directions: Directions = ((-1, 0, 0), (0, 0, -1), (0, -1, 0))
    for plane in ("axial", "coronal", "sagittal"):
        here = slab(VOXELS, layout(STRAIGHT, plane), 1, 4)
        there = slab(other, layout(directions, plane), 1, 4)
        assert here.tolist() == there.tolist(), plane


def test_an_oblique_scan_says_by_how_much() -> None:
    tilted: Directions = ((0, -0.5, 0.8660254), (0, 0.8660254, 0.5), (1, 0, 0))
    assert layout(tilted, "axial").tilt == pytest.approx(30.0)
    assert layout(tilted, "sagittal").tilt == pytest.approx(0.0, abs=1e-5)
    assert layout(STRAIGHT, "coronal").tilt == 0.0
