"""segment_organ: one of some hundred organs and bones in a CT volume, measured in millilitres, by TotalSegmentator.

Wasserthal et al., TotalSegmentator: Robust Segmentation of 104 Anatomic Structures in CT Images, Radiology: Artificial
Intelligence 2023, in its fast mode (3 mm), which runs on a CPU in minutes: give the toolbox a deadline of minutes. By
itself it tells its authors' server of each run; here it does not.
"""

import difflib
import os
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools.adapters.provided import device, library, weights
from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence, Measurement, Region
from tools.images.drawing import COLOURS, outline, shown_as, tint
from tools.images.image import MedicalImage
from tools.images.pixels import shown_colours
from tools.images.provenance import Section
from tools.images.volume import ACQUIRED, Volume
from tools.medical_tool import medical_tool
from tools.volume.pictures import picture_of, volume_in

INSTALL = "pip install medvista[totalsegmentator]"
PUBLISHED = "https://github.com/wasserth/TotalSegmentator/releases (datasets 297 and 298)"


@medical_tool(family="adapters", version="1", needs=f"{INSTALL}, and weights")
def segment_organ(
    image: MedicalImage, organ: Annotated[str, Field(min_length=1, max_length=60, examples=["liver"])]
) -> Evidence:
    """Outline an organ or bone of a CT volume and measure its volume, with TotalSegmentator."""
    volume = volume_in(image, "segment_organ")
    whole = nifti(image, volume)
    api = library("totalsegmentator.python_api", "segment_organ", INSTALL)
    names: dict[int, str] = library("totalsegmentator.map_to_binary", "segment_organ", INSTALL).class_map["total"]
    wanted = organ.strip().lower().replace(" ", "_")
    if wanted not in names.values():
        near = difflib.get_close_matches(wanted, names.values(), n=3, cutoff=0.4)
        raise ToolRetry(f"segment_organ: got organ {organ!r}, which it does not know; near it: {', '.join(near)}.")
    folder = weights("totalsegmentator", "segment_organ", PUBLISHED, "Dataset297_*", "Dataset298_*")
    os.environ["TOTALSEG_WEIGHTS_PATH"] = str(folder)
    api.send_usage_stats = _tell_nobody
    found = api.totalsegmentator(
        whole,
        None,
        fast=True,
        task="total",
        roi_subset=[wanted],
        quiet=True,
        device="gpu" if device() == "cuda" else "cpu",
    )
    number = next(each for each, name in names.items() if name == wanted)
    mask = np.asarray(found.dataobj).transpose(2, 1, 0) == number
    return _evidence(image, volume, mask, wanted.replace("_", " "))


def _tell_nobody(*_: object) -> None:
    """In the place of what posts how often, on what machine and for which organ it ran."""


def nifti(image: MedicalImage, volume: Volume) -> Any:
    """The volume as nibabel's image, axes (column, row, slice), in NIfTI's frame. ToolFailed without all spacings."""
    import nibabel

    if volume.directions is None or volume.slice_spacing is None or image.spacing is None or volume.voxels.ndim != 3:
        raise ToolFailed(
            "segment_organ: got a volume in colour, or without spacing and directions; expected a CT scan."
        )
    affine = np.eye(4)
    steps = (volume.slice_spacing, *image.spacing)
    for axis, (step, direction) in enumerate(zip(steps, volume.directions, strict=True)):
        affine[:3, 2 - axis] = np.asarray(direction) * step * (-1, -1, 1)  # left, back, head to right, front, head
    library_of_images: Any = nibabel
    made = library_of_images.Nifti1Image(volume.voxels.transpose(2, 1, 0), affine)
    made.header.set_xyzt_units("mm")
    return made


def _evidence(image: MedicalImage, volume: Volume, mask: NDArray[np.bool_], name: str) -> Evidence:
    if not mask.any() or image.spacing is None or volume.slice_spacing is None:
        return Evidence(text=f"TotalSegmentator found no {name} in image {image.number}.")
    millilitres = float(mask.sum()) * image.spacing[0] * image.spacing[1] * volume.slice_spacing / 1000
    first, last = (int(np.nonzero(mask.any(axis=(1, 2)))[0][each]) + 1 for each in (0, -1))
    number = int(mask.sum(axis=(1, 2)).argmax()) + 1
    rows, columns = np.nonzero(mask.any(axis=(0, 2)))[0], np.nonzero(mask.any(axis=(0, 1)))[0]
    box = float(columns[0]), float(rows[0]), float(columns[-1]) + 1, float(rows[-1]) + 1
    shown = picture_of(image, None, ACQUIRED, (number, number), volume.slice(number))
    picture = shown_colours(shown)
    tint(picture, mask[number - 1], COLOURS[0], 0.25)
    outline(picture, mask[number - 1], COLOURS[0])
    return Evidence(
        text=f"TotalSegmentator: {name} of {millilitres:.4g} ml in slices {first} to {last} of image {image.number}; "
        f"slice {number}, which holds most of it, is shown with its outline.",
        images=(shown_as(shown, picture),),
        regions=(Region(image=image.id, box=box, label=name, section=Section("acquired", first, last)),),
        measurements=(Measurement(name=f"volume of {name}", value=millilitres, unit="ml"),),
    )
