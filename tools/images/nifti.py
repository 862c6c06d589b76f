"""NIfTI: one volume of measured values, with its affine.

The voxels are put into DICOM's order (slices from the feet to the head, rows to the back, columns to the left), the way
pictures hang in radiology; they are turned and mirrored as whole axes, never interpolated. The header's free text
(descrip, db_name, extensions ...) may name a person and is not read. Millimetres need the header to say its unit.
"""

import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import ImageError
from tools.images.depth import compact_type
from tools.images.dicom.dataset import is_dicom
from tools.images.facts import Facts
from tools.images.image import MedicalImage
from tools.images.limits import Limits
from tools.images.reported import reported
from tools.images.volume import Directions, Volume, letter

MEND = "Give one whole volume as .nii or .nii.gz."
_HEAD = 544
"""Bytes that tell what a file is: the longer one of NIfTI's headers."""
_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001}


def is_nifti(content: bytes) -> bool:
    """Whether `content` begins as a NIfTI-1 or NIfTI-2 file in one piece does."""
    return content[344:348] == b"n+1\0" or content[4:8] == b"n+2\0"


def unpacked(content: bytes, limits: Limits) -> bytes:
    """What is in a gzip file, of NIfTI no more than its header says. Raises ImageError for what is larger or damaged.

    A few KB may unpack to GB, so nothing is unpacked before it is known to be an image, and of which size.
    """
    try:
        with gzip.open(io.BytesIO(content)) as file:
            head = file.read(_HEAD)
            if is_nifti(head):
                return head + file.read(max(0, _declared_bytes(head, limits) - len(head)))
            if not is_dicom(head):
                raise ImageError("Got a gzip file that holds neither NIfTI nor DICOM. " + MEND)
            plain = head + file.read(limits.file_bytes + 1 - len(head))
    except (OSError, EOFError, zlib.error):
        raise ImageError(f"Got a gzip file that is damaged or cut short. {MEND}") from None
    limits.check_bytes(len(plain))
    return plain


def _declared_bytes(head: bytes, limits: Limits) -> int:
    """Of a NIfTI file whose first bytes are `head`. Raises ImageError where it would be larger than `limits`."""
    with reported("a gzip file of NIfTI", MEND, also=_theirs()):
        kind = _kind(head).header_class
        header = kind(head[: kind.sizeof_hdr], check=False)
        voxels = math.prod(_shape(header.get_data_shape(), limits))
        size = int(header["vox_offset"]) + voxels * int(header.get_data_dtype().itemsize)
    limits.check_bytes(size)
    return size


def read_nifti(content: bytes, limits: Limits) -> MedicalImage:
    """The volume, or the single slice, in a NIfTI file's bytes. Raises ImageError."""
    with reported(f"{len(content)} bytes of NIfTI", MEND, also=_theirs()):
        image: Any = _kind(content).from_bytes(content)
        shape = _shape(image.shape, limits)
        if image.get_data_dtype().kind not in "iuf":
            raise ImageError(f"Got NIfTI values of type {image.get_data_dtype()}, expected real numbers.")
        values = _values(image.dataobj, shape)
        affine = np.asarray(image.affine, np.float64)
        placed = int(image.header["qform_code"]) > 0 or int(image.header["sform_code"]) > 0
        unit = _MILLIMETRES.get(str(image.header.get_xyzt_units()[0]))
        steps = np.asarray(image.header.get_zooms()[:3], np.float64)
    if not placed:
        return _image(values.transpose(2, 1, 0), _in_mm(steps[::-1], unit), None)
    return _image(*_in_dicom_order(values, affine, unit))


def _kind(content: bytes) -> Any:
    import nibabel

    library: Any = nibabel
    return library.Nifti2Image if content[4:8] == b"n+2\0" else library.Nifti1Image


def _theirs() -> tuple[type[Exception], ...]:
    import nibabel

    library: Any = nibabel
    return library.spatialimages.HeaderDataError, library.filebasedimages.ImageFileError


def _shape(given: Sequence[int], limits: Limits) -> tuple[int, int, int]:
    """Columns, rows and slices. Raises ImageError for more than one volume, or one larger than `limits`."""
    shape = tuple(int(each) for each in given)
    if len(shape) > 3 and any(each != 1 for each in shape[3:]):
        raise ImageError(f"Got a NIfTI file of shape {shape}, expected three axes. Save one volume of it alone.")
    columns, rows, slices = (*shape[:3], 1, 1)[:3]
    limits.check_volume(slices, columns, rows)
    return columns, rows, slices


def _values(data: Any, shape: tuple[int, int, int]) -> NDArray[Any]:
    """The values in the smallest type that holds them. nibabel scales to 64 bits, so it is let do that by slices."""
    from nibabel import volumeutils

    library: Any = volumeutils
    stored = data.get_unscaled().reshape(shape)

    def slices() -> Iterator[NDArray[Any]]:
        return (library.apply_read_scaling(stored[..., k], data.slope, data.inter) for k in range(shape[2]))

    if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2 and (data.slope, data.inter) == (1, 0):
        return stored.astype(np.int16) if stored.dtype == np.int8 else stored
    values = np.empty(shape, compact_type(slices()), order="F")
    for k, each in enumerate(slices()):
        values[..., k] = each
    return values


def _in_dicom_order(values: Any, affine: Any, unit: float | None) -> tuple[Any, Any, Directions | None]:
    """The voxels with slices to the head, rows to the back, columns to the left; their steps in mm and directions."""
    from nibabel import orientations

    library: Any = orientations
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise ImageError(f"Got a NIfTI affine that cannot be inverted, expected one with an extent each way. {MEND}")
    turn = library.ornt_transform(library.io_orientation(affine), library.axcodes2ornt("LPS"))
    turned = affine @ library.inv_ornt_aff(turn, values.shape)
    columns, rows, slices = (turned[:3, each] * (-1, -1, 1) for each in range(3))  # NIfTI's axes: right, front, head
    steps = np.array([np.linalg.norm(each) for each in (slices, rows, columns)])
    upright = abs(np.cross(rows, columns) @ slices) / np.linalg.norm(np.cross(rows, columns))
    vectors = [_unit(vector) for vector in (slices, rows, columns)]
    steps[0] = upright
    voxels = library.apply_orientation(values, turn).transpose(2, 1, 0)
    return voxels, _in_mm(steps, unit), (vectors[0], vectors[1], vectors[2])


def _image(voxels: Any, steps: tuple[float, float, float] | None, directions: Directions | None) -> MedicalImage:
    orientation = (letter(directions[2]), letter(directions[1])) if directions else None
    facts = Facts(orientation=orientation)
    spacing = (steps[1], steps[2]) if steps else None
    if voxels.shape[0] == 1:
        return MedicalImage(voxels[0], spacing=spacing, facts=facts)
    return MedicalImage.of_volume(Volume(voxels, steps[0] if steps else None, directions), spacing, facts=facts)


def _in_mm(steps: Any, unit: float | None) -> tuple[float, float, float] | None:
    if unit is None or len(steps) != 3 or not all(each > 0 and np.isfinite(each) for each in steps):
        return None
    slices, rows, columns = (round(float(each) * unit, 6) for each in steps)
    return (slices, rows, columns) if min(slices, rows, columns) > 0 else None


def _unit(vector: Any) -> tuple[float, float, float]:
    x, y, z = (round(float(each), 6) + 0.0 for each in vector / np.linalg.norm(vector))
    return x, y, z
