"""A folder of slices: one volume in the order of the body, or an error that says what was in the folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ImageError
from tools.images.limits import Limits
from tools.images.load import load_image
from tools.images.store import ImageStore

Folder = Callable[..., Path]


@pytest.fixture
def folder(dicom, tmp_path: Path) -> Folder:
    """`folder(z=value, ...)` in the order given: slices at heights z, each of one value."""

    def write(*slices: tuple[float, int], **attributes: object) -> Path:
        place = tmp_path / "series"
        place.mkdir(exist_ok=True)
        for number, (height, value) in enumerate(slices):
            facts = {
                "Modality": "CT",
                "SeriesInstanceUID": "1.2.3",
                "RescaleSlope": "1",
                "RescaleIntercept": "-1000",
                "PixelSpacing": [0.5, 0.25],
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "ImagePositionPatient": [0, 0, height],
                **attributes,
            }
            (place / f"DOE_{number}_{height}.dcm").write_bytes(dicom(np.full((6, 8), value, np.uint16), **facts))
        return place

    return write


def test_slices_lie_in_the_order_of_the_body_whatever_their_names(folder: Folder) -> None:
    image = load_image(folder((7.5, 1003), (0.0, 1000), (5.0, 1002), (2.5, 1001)))
    assert image.volume is not None
    assert image.volume.voxels[:, 0, 0].tolist() == [0, 1, 2, 3]
    assert image.volume.voxels.dtype == np.int16
    assert (image.volume.slice_spacing, image.spacing) == (2.5, (0.5, 0.25))
    assert (image.facts.modality, image.facts.unit) == ("CT", "HU")
    assert image.pixels.tolist() == image.volume.voxels[2].tolist()


def test_what_is_no_image_is_passed_over(folder: Folder) -> None:
    place = folder((0.0, 1), (2.0, 2))
    (place / "README.txt").write_text("Slices of a scan.")
    (place / ".hidden").write_bytes(b"x")
    (place / "more").mkdir()
    image = load_image(place)
    assert image.volume is not None
    assert image.volume.count == 2


def test_one_slice_is_a_picture(folder: Folder) -> None:
    image = load_image(folder((0.0, 1)))
    assert image.volume is None
    assert image.size == (8, 6)


def test_what_is_doubtful_is_refused(folder: Folder) -> None:
    place = folder((0.0, 1), (2.0, 2))
    folder((4.0, 3), (6.0, 3), (8.0, 3), SeriesInstanceUID="9.9.9")  # overwrites the first two, adds one
    with pytest.raises(ImageError, match=r"expected one\. Give a folder with the slices of one series") as error:
        load_image(place)
    assert "9.9.9" not in str(error.value)
    assert "DOE" not in str(error.value)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"ImagePositionPatient": [0, 0, 0]}, "some lie at one place"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "at angles to each other"),
        ({"ImagePositionPatient": None}, "do not say where they lie"),
    ],
)
def test_slices_that_make_no_volume(folder: Folder, dicom, second: dict[str, object], said: str) -> None:
    place = folder((0.0, 1))
    other = {
        "SeriesInstanceUID": "1.2.3",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [0, 0, 2],
        **second,
    }
    (place / "other").write_bytes(dicom(np.zeros((6, 8), np.uint16), **other))
    with pytest.raises(ImageError, match=said):
        load_image(place)


def test_sizes_counts_and_emptiness(folder: Folder, dicom, tmp_path: Path) -> None:
    place = folder((0.0, 1), (2.0, 2))
    with pytest.raises(ImageError, match="voxels"):
        load_image(place, limits=Limits(voxels=95))
    with pytest.raises(ImageError, match="folder of 2 files, expected at most 1"):
        load_image(place, limits=Limits(files=1))
    (place / "other").write_bytes(dicom(np.zeros((7, 8), np.uint16), SeriesInstanceUID="1.2.3"))
    with pytest.raises(ImageError, match="slices of 2 sizes"):
        load_image(place)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="0 files, expected DICOM images"):
        load_image(tmp_path / "empty")


def test_a_missing_slice_is_no_error_but_leaves_no_spacing(folder: Folder) -> None:
    image = load_image(folder((0.0, 1), (2.0, 2), (6.0, 3)))
    assert image.volume is not None
    assert image.volume.slice_spacing is None


def test_a_real_ct_series(pydicom_files: Path, store: ImageStore, tmp_path: Path) -> None:
    series = pydicom_files / "test_files/dicomdirtests/98892001/CT5N"
    # the five slices of 16 x 16 pixels are named 2062 .. 3353 and lie 2.5 mm apart
    image = load_image(series)
    assert image.volume is not None
    assert image.volume.voxels.shape == (5, 16, 16)
    assert image.volume.slice_spacing == 2.5
    # the same pictures one by one, renamed so that names go the other way
    for number, path in enumerate(sorted(series.iterdir())):
        shutil.copy(path, tmp_path / f"{9 - number}.dcm")
    shuffled = ImageStore(tmp_path / "elsewhere")
    copies = tmp_path / "copies"
    copies.mkdir()
    for path in tmp_path.glob("*.dcm"):
        path.rename(copies / path.name)
    assert load_image(copies).id == image.id
    assert ImageStore(store.folder).get(store.put(image)).id == image.id
    assert shuffled.folder != store.folder
    middle = {load_image(path).pixels.tobytes() for path in series.iterdir()}
    assert image.pixels.tobytes() in middle


def test_real_folders_of_several_series_are_refused(pydicom_files: Path) -> None:
    with pytest.raises(ImageError, match="3 series"):
        load_image(pydicom_files / "test_files/dicomdirtests/98892003/MR1")
    with pytest.raises(ImageError, match="at angles"):
        load_image(pydicom_files / "test_files/dicomdirtests/98892003/MR700")
