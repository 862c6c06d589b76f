"""maximum_intensity_projection: the greatest value along each line, by hand and by another way."""

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.provenance import Section
from tools.images.volume import Volume
from tools.volume.maximum_intensity_projection import maximum_intensity_projection


def project(image: MedicalImage, **arguments: object) -> Evidence:
    return maximum_intensity_projection.apply({"image": 1, **arguments}, [image])


def test_the_brightest_along_each_line() -> None:
    voxels = np.array([[[1, 9], [3, 4]], [[5, 2], [3, 8]], [[0, 0], [7, 1]]], np.uint16)
    image = MedicalImage.of_volume(Volume(voxels))
    assert project(image).images[0].pixels.tolist() == [[5, 9], [7, 8]]
    found = project(image, first=1, last=2)
    assert found.images[0].pixels.tolist() == [[5, 9], [3, 8]]
    assert found.text == "Maximum intensity projection of slices 1 to 2 of 3 of image 1."
    assert found.images[0].origin().section == Section("acquired", 1, 2)


def test_along_another_plane(numbered_voxels: MedicalImage) -> None:
    found = project(numbered_voxels, plane="sagittal", first=2, last=3)
    # of columns 1 and 2 the greater is 2: 100 * slice + 10 * row + 2, the head on top; 10 rows of 1 mm for 5 slices
    assert found.images[0].pixels[0].tolist() == [402, 412, 422]
    assert found.images[0].pixels[-1].tolist() == [2, 12, 22]
    assert found.text == "Sagittal maximum intensity projection of slices 2 to 3 of 4 of image 1."


def test_what_is_not_a_number_is_never_the_brightest() -> None:
    voxels = np.array([[[np.nan, 1.0]], [[-5.0, np.nan]]], np.float32)
    assert project(MedicalImage.of_volume(Volume(voxels))).images[0].pixels.tolist() == [[-5.0, 1.0]]


@pytest.mark.parametrize(("first", "last"), [(3, 2), (1, 6), (6, 6)])
def test_slices_that_there_are_not(numbered_voxels: MedicalImage, first: int, last: int) -> None:
    with pytest.raises(ToolRetry, match="has slices 1 to 5 that way"):
        project(numbered_voxels, first=first, last=last)


def test_colours_have_no_brightest() -> None:
    with pytest.raises(ToolRetry, match="in colour"):
        project(MedicalImage.of_volume(Volume(np.zeros((2, 3, 4, 3), np.uint8))))


def test_a_real_brain(brain: MedicalImage) -> None:
    import SimpleITK

    assert brain.volume is not None
    theirs = SimpleITK.MaximumProjection(SimpleITK.GetImageFromArray(brain.volume.voxels), 2)
    mine = project(brain).images[0]
    assert (mine.pixels == SimpleITK.GetArrayFromImage(theirs)[0]).all()
    assert mine.spacing == (2.0, 2.0)
