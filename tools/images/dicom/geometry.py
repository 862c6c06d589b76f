"""Where the pixels lie, in millimetres and in the patient; and where that is not known.

Millimetres are given only where they hold in the body. Spacing at a detector or on a film is not (it is magnified by an
unknown factor), nor is one of ultrasound outside its calibrated regions; both are kept as facts, for people to know.
"""

import math
from typing import Any

import numpy as np

from tools.images.dicom.dataset import Dataset, group, numbers
from tools.images.facts import CalibratedRegion
from tools.images.volume import Directions, letter

Spacing = tuple[float, float]
Vector = tuple[float, ...]

_CENTIMETRES = 3
"""PS3.3 C.8.5.5.1.3, units of a region's axes."""
CLOSEST = 1e-3
"""Millimetres below which two slices lie at one place."""
_UNEVEN = 0.02
"""The share by which gaps between slices may differ: rounding of positions, not a missing slice."""


def spacing_in_body(dataset: Dataset) -> Spacing | None:
    """(row mm, column mm) in the patient; None where it is unknown (PS3.3 10.7.1.3)."""
    spacing = _pair(group(dataset, "PixelMeasuresSequence").get("PixelSpacing"))
    if spacing is None:
        return None
    if orientation_of(dataset) is not None or str(dataset.get("Modality")) in ("CT", "MR", "PT", "NM", "RTDOSE"):
        return spacing
    detector = _pair(dataset.get("ImagerPixelSpacing"))
    calibrated = dataset.get("PixelSpacingCalibrationType") in ("GEOMETRY", "FIDUCIAL")
    return spacing if calibrated or (detector is not None and detector != spacing) else None


def spacing_at_detector(dataset: Dataset) -> Spacing | None:
    """(row mm, column mm) on the detector or the film; None where the file does not say, or knows better."""
    if spacing_in_body(dataset) is not None:
        return None
    names = ("ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelSpacing")
    return next((found for name in names if (found := _pair(dataset.get(name))) is not None), None)


def calibrated_regions(dataset: Dataset, width: int, height: int) -> tuple[CalibratedRegion, ...]:
    """The regions of an ultrasound image whose both axes are distances."""
    found: list[CalibratedRegion] = []
    for region in dataset.get("SequenceOfUltrasoundRegions") or ():
        units = (region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection"))
        steps = numbers((region.get("PhysicalDeltaX"), region.get("PhysicalDeltaY")), 2)
        corners = numbers([region.get(f"RegionLocation{name}") for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")], 4)
        if units != (_CENTIMETRES, _CENTIMETRES) or steps is None or corners is None or 0 in steps:
            continue
        left, top, right, bottom = (int(each) for each in corners)
        box = (max(0, left), max(0, top), min(width, right + 1), min(height, bottom + 1))
        if box[0] < box[2] and box[1] < box[3]:
            found.append(CalibratedRegion(box, (abs(steps[1]) * 10, abs(steps[0]) * 10)))
    return tuple(found)


def orientation_of(dataset: Dataset, frame: int = 0) -> tuple[Vector, Vector] | None:
    """Unit vectors in the patient (left, back, head) along a row and down a column."""
    found = numbers(group(dataset, "PlaneOrientationSequence", frame).get("ImageOrientationPatient"), 6)
    if found is None:
        return None
    along, down = np.array(found[:3]), np.array(found[3:])
    if not all(0.99 < float(np.linalg.norm(each)) < 1.01 for each in (along, down)) or abs(along @ down) > 0.01:
        return None
    return found[:3], found[3:]


def position_of(dataset: Dataset, frame: int = 0) -> Vector | None:
    """Where the middle of the first pixel lies: mm to the left, to the back, to the head."""
    return numbers(group(dataset, "PlanePositionSequence", frame).get("ImagePositionPatient"), 3)


def edges(dataset: Dataset) -> tuple[str, str] | None:
    """Where in the patient the right and the lower edge of the picture lie, each as one letter."""
    if (vectors := orientation_of(dataset)) is not None:
        return letter(vectors[0]), letter(vectors[1])
    stated: list[str] = [str(each)[:1] for each in dataset.get("PatientOrientation") or ()]
    usable = len(stated) == 2 and all(each in tuple("LRPAHF") for each in stated)
    return (stated[0], stated[1]) if usable else None


def stacked(
    orientation: tuple[Vector, Vector], positions: list[Vector]
) -> tuple[list[int], float | None, Directions | None]:
    """The order of slices along the line that stands upright on them, their even spacing in mm, their directions.

    No spacing where the gaps differ (a slice is missing), and nothing but the order they came in where two slices lie
    at one place (times of one film, echoes).
    """
    along, down = (np.array(each) for each in orientation)
    upright: Any = np.cross(along, down)
    heights = [float(upright @ np.array(each)) for each in positions]
    order = sorted(range(len(positions)), key=heights.__getitem__)
    gaps: Any = np.diff([heights[each] for each in order])
    if len(gaps) == 0 or gaps.min() < CLOSEST:
        return list(range(len(positions))), None, None
    step = np.array(positions[order[-1]]) - np.array(positions[order[0]])
    towards = step / np.linalg.norm(step)  # not `upright` where the gantry was tilted
    even = gaps.max() - gaps.min() <= max(_UNEVEN * gaps.mean(), 0.01)
    spacing = round(float(gaps.mean()), 6) if even else None
    return order, spacing, (_unit(towards), _unit(down), _unit(along))


def _unit(vector: Any) -> tuple[float, float, float]:
    x, y, z = (round(float(each), 6) + 0.0 for each in vector)
    return x, y, z


def _pair(value: object) -> Spacing | None:
    found = numbers(value, 2)
    return (found[0], found[1]) if found and min(found) > 0 and math.isfinite(sum(found)) else None
