"""reslice: other planes by hand, square pixels, the patient's sides where radiologists look for them."""

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.provenance import Section
from tools.images.volume import Volume
from tools.volume.reslice import reslice


def cut(image: MedicalImage, plane: str, number: int | None = None) -> Evidence:
    return reslice.apply({"image": 1, "plane": plane, "slice": number}, [image])


def test_axial_of_an_axial_scan_is_its_slices(numbered_voxels: MedicalImage) -> None:
    found = cut(numbered_voxels, "axial", 2)
    (view,) = found.images
    # 1.0 mm down, 0.5 mm across: rows 100 .. 103, 110 .. 113, 120 .. 123 become 6 rows of 0.5 mm; their middles lie at
    # -0.25, 0.25, 0.75, 1.25, 1.75, 2.25 rows: 100 (edge), 102.5, 107.5, 112.5, 117.5, 120 (edge), halves to even
    assert view.pixels[:, 0].tolist() == [100, 102, 108, 112, 118, 120]
    assert view.spacing == (0.5, 0.5)
    assert found.text == "Axial slice 2 of 5 of image 1."


def test_coronal_has_the_head_on_top_and_sagittal_the_front_on_the_left(numbered_voxels: MedicalImage) -> None:
    coronal = cut(numbered_voxels, "coronal", 3).images[0]
    # row 2 of 5 slices 2 mm apart, 0.5 mm across: 20 rows of 0.5 mm, head (400) on top
    assert coronal.size == (4, 20)
    assert coronal.pixels[0].tolist() == [420, 421, 422, 423]
    assert coronal.pixels[-1].tolist() == [20, 21, 22, 23]
    assert coronal.spacing == (0.5, 0.5)
    assert coronal.facts.orientation == ("L", "F")
    sagittal = cut(numbered_voxels, "sagittal", 1).images[0]
    # column 0 (right): 3 rows of 1 mm across, 5 slices of 2 mm down become 10 rows of 1 mm
    assert sagittal.size == (3, 10)
    assert sagittal.pixels[0].tolist() == [400, 410, 420]
    assert sagittal.facts.orientation == ("P", "F")


def test_values_between_slices_are_interpolated(numbered_voxels: MedicalImage) -> None:
    sagittal = cut(numbered_voxels, "sagittal", 1).images[0]
    # 10 rows for 5: middles at -0.25, 0.25, 0.75 ... slices from the top (400): 400 (edge), 375, 325, 275 ...
    assert sagittal.pixels[:4, 0].tolist() == [400, 375, 325, 275]


def test_the_middle_one_without_a_number_and_its_place(numbered_voxels: MedicalImage) -> None:
    found = cut(numbered_voxels, "coronal")
    assert found.text == "Coronal slice 2 of 3 of image 1."
    view = found.images[0]
    assert view.origin().section == Section("coronal", 2, 2)
    assert view.origin().box == (0.0, 0.0, 4.0, 5.0)  # in voxels: 4 columns, 5 slices
    # the lower half of what is shown is the lower half of the slices
    assert view.seen_in((0, 10, 4, 20))[0].box == (0.0, 2.5, 4.0, 5.0)


@pytest.mark.parametrize(("plane", "count"), [("axial", 5), ("coronal", 3), ("sagittal", 4)])
def test_slices_that_there_are_not(numbered_voxels: MedicalImage, plane: str, count: int) -> None:
    with pytest.raises(ToolRetry, match=f"slices 1 to {count} that way"):
        cut(numbered_voxels, plane, count + 1)


def test_a_volume_that_does_not_say_how_it_lies() -> None:
    frames = MedicalImage.of_volume(Volume(np.zeros((3, 4, 5), np.uint8)))
    with pytest.raises(ToolRetry, match=r"does not say how its slices lie; look at its slices.*show_slice"):
        cut(frames, "axial")
    unspaced = MedicalImage.of_volume(Volume(np.zeros((3, 4, 5), np.uint8), None, ((0, 0, 1), (0, 1, 0), (1, 0, 0))))
    with pytest.raises(ToolRetry, match="does not say how far apart"):
        cut(unspaced, "coronal")


def test_an_oblique_scan_is_said_to_be_one() -> None:
    tilted = Volume(np.zeros((3, 4, 5), np.uint8), 1.0, ((0, -0.5, 0.8660254), (0, 0.8660254, 0.5), (1, 0, 0)))
    assert "tilted by 30 degrees" in cut(MedicalImage.of_volume(tilted, (1.0, 1.0)), "axial").text


def test_colours_are_cut_too() -> None:
    voxels = np.arange(2 * 2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 2, 3)
    image = MedicalImage.of_volume(Volume(voxels, 1.0, ((0, 0, 1), (0, 1, 0), (1, 0, 0))), (1.0, 1.0))
    assert cut(image, "coronal", 1).images[0].pixels.tolist() == voxels[::-1, 0].tolist()


def test_a_real_brain_against_nibabel(brain: MedicalImage) -> None:
    from pathlib import Path

    import nibabel

    theirs = nibabel.as_closest_canonical(
        nibabel.load(Path(nibabel.__file__).parent / "tests" / "data" / "anatomical.nii")
    )
    values = np.asarray(theirs.dataobj)  # [to the right, to the front, to the head]
    sagittal = cut(brain, "sagittal", 10).images[0]
    # the tenth from the patient's right; on the picture the front is on the left, the head on top
    assert (sagittal.pixels == values[-10, ::-1, ::-1].T).all()
    assert sagittal.spacing == (2.0, 2.0)
