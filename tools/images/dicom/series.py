"""A folder of DICOM slices as one volume.

The slices are put in order by where they lie, never by file name or instance number. One series at a time: what is
doubtful (two series, two slices at one place, slices of two sizes) is refused with what was found. File names and the
series' identifiers are compared and forgotten.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.errors import ImageError
from tools.images.depth import compact
from tools.images.dicom.dataset import is_dicom, read_dataset, reading, series_and_position
from tools.images.dicom.geometry import Vector, orientation_of, position_of, stacked
from tools.images.dicom.pixels import read_frames
from tools.images.dicom.single import read_object
from tools.images.image import MedicalImage
from tools.images.limits import Limits
from tools.images.volume import Directions, Volume

MEND = "Give a folder with the slices of one series."
_DIRECTORY = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class _Slice:
    path: Path
    series: str
    size: tuple[int, int]
    orientation: tuple[Vector, Vector] | None
    position: Vector | None


def read_series(folder: Path, limits: Limits) -> MedicalImage:
    """The volume in `folder`; what is no DICOM image there is passed over. Raises ImageError."""
    with reading():
        return _volume(folder, limits)


def _volume(folder: Path, limits: Limits) -> MedicalImage:
    slices = _slices(folder, limits)
    if len(slices) == 1:
        return read_object(slices[0].path.read_bytes(), limits)
    series = [sum(each.series == one for each in slices) for one in sorted({each.series for each in slices})]
    if len(series) > 1:
        counts = " and ".join(str(count) for count in series[:8])
        raise ImageError(f"Got a folder of {len(series)} series (of {counts} files), expected one. {MEND}")
    sizes = sorted({each.size for each in slices})
    if len(sizes) > 1:
        raise ImageError(f"Got slices of {len(sizes)} sizes ({sizes[0]}, {sizes[1]} ...), expected one size. {MEND}")
    limits.check_volume(len(slices), *sizes[0])
    orientation = slices[0].orientation
    if orientation is None or any(each.position is None for each in slices):
        raise ImageError(f"Got slices that do not say where they lie, so they have no order. {MEND}")
    if any(not _same(each.orientation, orientation) for each in slices):
        raise ImageError(f"Got slices that lie at angles to each other (a localizer?), expected parallel ones. {MEND}")
    order, spacing, directions = stacked(orientation, [each.position for each in slices if each.position is not None])
    if directions is None:
        raise ImageError(
            f"Got {len(slices)} slices of which some lie at one place (several times or echoes?), expected one at each "
            f"place. {MEND}"
        )
    return _joined([slices[each].path for each in order], spacing, directions, limits)


def _slices(folder: Path, limits: Limits) -> list[_Slice]:
    paths = sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    if len(paths) > limits.files:
        raise ImageError(f"Got a folder of {len(paths)} files, expected at most {limits.files}; raise Limits.files.")
    found: list[_Slice] = []
    for path in paths:
        limits.check_bytes(path.stat().st_size)
        content = path.read_bytes()
        if not is_dicom(content):
            continue
        series, header = series_and_position(content)
        if header.get("SOPClassUID") == _DIRECTORY or "Rows" not in header:
            continue
        size = int(header.get("Columns") or 0), int(header.get("Rows") or 0)
        found.append(_Slice(path, series, size, orientation_of(header), position_of(header)))
    if not found:
        raise ImageError(f"Got a folder of {len(paths)} files, expected DICOM images among them. {MEND}")
    return found


def _joined(paths: list[Path], spacing: float | None, directions: Directions | None, limits: Limits) -> MedicalImage:
    middle = read_object(paths[len(paths) // 2].read_bytes(), limits)
    slices = [read_frames(read_dataset(path.read_bytes(), limits), limits) for path in paths]
    if any(len(each.values) != 1 for each in slices):
        raise ImageError(f"Got several files of many frames, expected one such file, or one slice a file. {MEND}")
    facts = middle.facts if len({each.unit for each in slices}) == 1 else middle.facts.without_unit()
    values = compact(np.concatenate([each.values for each in slices]), signed=facts.unit == "HU")
    return MedicalImage.of_volume(Volume(values, spacing, directions), middle.spacing, middle.window, facts)


def _same(a: tuple[Vector, Vector] | None, b: tuple[Vector, Vector]) -> bool:
    return a is not None and bool(np.allclose(a, b, atol=1e-3))
