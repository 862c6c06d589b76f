"""One DICOM object: a picture, or the frames of one (slices of a volume, or a film)."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tools.images.dicom.dataset import Dataset, numbers, read_dataset, reading
from tools.images.dicom.geometry import (
    Vector,
    calibrated_regions,
    edges,
    orientation_of,
    position_of,
    spacing_at_detector,
    spacing_in_body,
    stacked,
)
from tools.images.dicom.pixels import read_frames
from tools.images.facts import MODALITIES, Facts
from tools.images.image import MedicalImage
from tools.images.limits import Limits
from tools.images.volume import Volume


def read_object(content: bytes, limits: Limits) -> MedicalImage:
    """The image in a DICOM file's bytes. Raises ImageError where it is damaged, unsupported or no image."""
    with reading():
        return _object(read_dataset(content, limits), limits)


def _object(dataset: Dataset, limits: Limits) -> MedicalImage:
    frames = read_frames(dataset, limits)
    facts = _facts(dataset, frames.unit)
    spacing = None if facts.regions else spacing_in_body(dataset)
    if len(frames.values) == 1:
        whole = (0, 0, int(dataset.Columns), int(dataset.Rows))
        spacing = spacing or facts.spacing_within(whole)
        return MedicalImage(frames.values[0], spacing=spacing, window=frames.window, facts=facts)
    return MedicalImage.of_volume(_frames_in_space(frames.values, dataset), spacing, frames.window, facts)


def _facts(dataset: Dataset, unit: str) -> Facts:
    """What is known of the image besides its pixels."""
    modality, burnt_in = str(dataset.get("Modality") or ""), dataset.get("BurnedInAnnotation")
    return Facts(
        modality=modality if modality in MODALITIES else "",
        unit=unit,
        orientation=edges(dataset),
        regions=calibrated_regions(dataset, int(dataset.Columns), int(dataset.Rows)),
        detector_spacing=spacing_at_detector(dataset),
        burnt_in_text={"YES": True, "NO": False}.get(str(burnt_in)),
    )


def _frames_in_space(values: NDArray[Any], dataset: Dataset) -> Volume:
    """The frames sorted by their places; in the file's order, and without places, where there are none or of one."""
    count = len(values)
    places = _offsets(dataset, count) or [position_of(dataset, frame) for frame in range(count)]
    orientations = {orientation_of(dataset, frame) for frame in range(count)}
    (orientation, *others) = orientations
    if orientation is None or others or any(each is None for each in places):
        return Volume(values)
    order, spacing, directions = stacked(orientation, cast("list[Vector]", places))
    return Volume(values[order], spacing, directions)


def _offsets(dataset: Dataset, count: int) -> list[Vector] | None:
    """The places of a dose grid's frames, which are given as heights above the first (PS3.3 C.8.8.3.2)."""
    heights, start = numbers(dataset.get("GridFrameOffsetVector"), count), position_of(dataset)
    orientation = orientation_of(dataset)
    if heights is None or start is None or orientation is None:
        return None
    upright = np.cross(orientation[0], orientation[1])
    return [tuple(float(each) for each in np.array(start) + height * upright) for height in heights]
