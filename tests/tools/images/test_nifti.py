"""NIfTI: the same numbers that nibabel reads, at the same places of the body; no free text."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tools.errors import ImageError
from tools.images.limits import Limits
from tools.images.load import load_image
from tools.images.store import ImageStore

VALUES = np.arange(2 * 3 * 4, dtype=np.int16).reshape(4, 3, 2)


def made(values: np.ndarray, affine: object = None, unit: str = "mm", kind: type = nibabel.Nifti1Image) -> bytes:
    image = kind(values, np.diag([0.5, 0.7, 2.0, 1.0]) if affine is None else affine)
    image.header.set_xyzt_units(unit)
    return image.to_bytes()


@pytest.fixture(scope="module")
def real() -> Path:
    """The folder of the files that nibabel's wheel carries for its tests."""
    return Path(nibabel.__file__).parent / "tests" / "data"


def test_a_real_volume_has_nibabels_values_at_the_same_places(real: Path) -> None:
    theirs = nibabel.as_closest_canonical(nibabel.load(real / "anatomical.nii"))  # axes to the right, front and head
    image = load_image(real / "anatomical.nii")
    assert image.volume is not None
    # ours: to the head, the back and the left
    assert (image.volume.voxels == np.asarray(theirs.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1]).all()
    assert image.spacing == (2.0, 2.0)
    assert image.volume.slice_spacing == 2.0


def test_axes_are_turned_to_how_pictures_hang() -> None:
    # made with axes to the right, the front and the head: [i, j, k] -> [k, 2 - j, 3 - i]
    image = load_image(made(VALUES))
    assert image.volume is not None
    assert image.volume.voxels.tolist() == VALUES.transpose(2, 1, 0)[:, ::-1, ::-1].tolist()
    assert (image.spacing, image.volume.slice_spacing) == ((0.7, 0.5), 2.0)
    assert image.volume.directions == ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    assert image.facts.orientation == ("L", "P")


def test_a_volume_stored_in_other_axes_is_the_same_image() -> None:
    turned = VALUES.transpose(1, 2, 0)[::-1]  # axes to the back, the head, the right
    affine = np.array([[0, 0, 0.5, 0], [-0.7, 0, 0, 1.4], [0, 2.0, 0, 0], [0, 0, 0, 1]])
    assert load_image(made(turned, affine)).id == load_image(made(VALUES)).id


def test_versions_compression_and_types() -> None:
    plain = load_image(made(VALUES))
    assert load_image(gzip.compress(made(VALUES))).id == plain.id
    assert load_image(made(VALUES, kind=nibabel.Nifti2Image)).id == plain.id
    assert load_image(made(VALUES.astype(np.int32))).measured.dtype == np.uint16  # 0 .. 23 fits
    assert load_image(made(VALUES * 0.5)).measured.dtype == np.float32
    flat = load_image(made(VALUES[:, :, :1]))
    assert flat.volume is None
    assert flat.spacing == (0.7, 0.5)


def test_slope_and_intercept_are_applied() -> None:
    image = nibabel.Nifti1Image(VALUES, np.eye(4))
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(2, -1000)
    content = bytearray(image.to_bytes())
    content[112:120] = np.array([2, -1000], "<f4").tobytes()
    scaled = load_image(bytes(content))
    assert scaled.measured.dtype == np.int16
    assert int(scaled.measured.min()) == -1000
    assert int(scaled.measured.max()) == 23 * 2 - 1000


def test_millimetres_need_a_unit() -> None:
    assert load_image(made(VALUES, unit="unknown")).spacing is None
    assert load_image(made(VALUES, np.diag([5e-4, 7e-4, 2e-3, 1]), unit="meter")).spacing == (0.7, 0.5)
    given = load_image(made(VALUES, unit="unknown"), spacing=(2.0, 0.7, 0.5))
    assert given.volume is not None
    assert given.volume.slice_spacing == 2.0


def test_an_oblique_volume_keeps_its_angles() -> None:
    turn = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    affine = np.eye(4)
    affine[:3, :3] = turn * 2
    image = load_image(made(VALUES, affine))
    assert image.volume is not None
    # to the head: 0.8 head and 0.6 towards the back (nifti's -y)
    assert image.volume.directions == ((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (1.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (made(VALUES)[:200], "no whole image"),
        (made(VALUES)[:-10], "no whole image"),
        (gzip.compress(made(VALUES), mtime=0)[:-20], "damaged or cut short"),
        (made(np.zeros((2, 2, 2, 5), np.int16)), "expected three axes"),
        (made(np.full((2, 2, 2), np.nan)), "without one finite value"),
        (made(np.zeros((2, 2, 2), np.complex64)), "real numbers"),
        (made(VALUES)[:280] + bytes(48) + made(VALUES)[328:], "cannot be inverted"),
    ],
)
def test_bad_files(content: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        load_image(content)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(made(np.zeros((200, 200, 200), np.int16)))
    assert len(bomb) < 100_000
    with pytest.raises(ImageError, match="at most 1000000"):
        load_image(bomb, limits=Limits(file_bytes=1_000_000))
    huge = bytearray(made(VALUES))
    huge[42:48] = np.array([32767] * 3, "<i2").tobytes()
    with pytest.raises(ImageError, match=r"32767 x 32767|no whole image"):
        load_image(bytes(huge))


def test_free_text_goes_nowhere(store: ImageStore) -> None:
    image = nibabel.Nifti1Image(VALUES, np.eye(4))
    for field in ("descrip", "db_name", "aux_file", "intent_name"):
        image.header[field] = b"DOE JOHN"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"DOE JOHN"))
    loaded = load_image(image.to_bytes())
    store.put(loaded)
    assert "DOE" not in repr(loaded)
    assert all(b"DOE" not in path.read_bytes() for path in store.folder.rglob("*.*"))


def test_all_of_nibabels_own_files_load_or_say_why(real: Path) -> None:
    refused = 0
    paths = [path for path in sorted(real.iterdir()) if path.is_file()]
    for path in paths:
        try:
            load_image(path)
        except ImageError:
            refused += 1
    assert len(paths) - refused >= 4
