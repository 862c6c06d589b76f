"""volume_of_region: how much there is of what has certain values, in a box through several slices.

Voxels are counted, each with the volume that its spacings give; millilitres only where all three spacings are known.
"""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, Region
from tools.geometry import Box, box_to_pixels
from tools.images.image import MedicalImage
from tools.images.provenance import Section
from tools.images.volume import ACQUIRED
from tools.medical_tool import medical_tool
from tools.volume.pictures import check_numbers, picture_of, volume_in

Value = Annotated[float, Field(allow_inf_nan=False)]
COLOUR = (255, 200, 0)


@medical_tool(family="volume", version="1")
def volume_of_region(
    image: MedicalImage,
    box: Box,
    first: Annotated[int, Field(examples=[10])],
    last: Annotated[int, Field(examples=[20])],
    low: Annotated[Value, Field(examples=[100])],
    high: Annotated[Value, Field(examples=[400])],
    largest_piece: bool = False,
) -> Evidence:
    """Measure the volume of what has values from low to high, in a box, from slice first to slice last.

    Slices are as acquired. With largest_piece, only what hangs together as the largest piece is counted.
    """
    volume = volume_in(image, "volume_of_region")
    if volume.voxels.ndim == 4:
        raise ToolRetry(f"volume_of_region: got image {image.number}, which is in colour; expected a volume in greys.")
    check_numbers(image, ACQUIRED, first, last, "volume_of_region")
    left, top, right, bottom = _whole_pixels(box, image)
    if low > high:
        raise ToolRetry(f"volume_of_region: got low {low:g} above high {high:g}; expected low <= high.")
    part = volume.voxels[first - 1 : last, top:bottom, left:right]
    chosen = (part >= low) & (part <= high)
    if largest_piece:
        chosen = _largest(chosen)
    count = int(chosen.sum())
    unit = f" {image.facts.unit}" if image.facts.unit else ""
    what = f"{'The largest piece' if largest_piece else 'All'} from {low:g} to {high:g}{unit}, slices {first} to {last}"
    number = first + int(chosen.sum(axis=(1, 2)).argmax())
    mask = np.zeros((image.height, image.width), bool)
    mask[top:bottom, left:right] = chosen[number - first]
    measurement, said = _measured(image, count)
    return Evidence(
        text=f"{what}: {said}. Slice {number}, which holds most of it, is shown with its outline.",
        images=(_outlined(image, number, mask),),
        regions=(Region(image=image.id, box=(left, top, right, bottom), section=Section("acquired", first, last)),),
        measurements=(measurement,),
    )


def _whole_pixels(box: Box, image: MedicalImage) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(each) for each in box_to_pixels(box, image.width, image.height))
    if left == right or top == bottom:
        raise ToolRetry(
            f"volume_of_region: got box {box}, which holds no pixel; expected [x1, y1, x2, y2] with x1 < x2, y1 < y2."
        )
    return left, top, right, bottom


def _measured(image: MedicalImage, count: int) -> tuple[Measurement, str]:
    between = image.volume.slice_spacing if image.volume else None
    if image.spacing is None or between is None:
        measurement = Measurement(name="volume", value=count, unit="voxels")
        return measurement, f"{count} voxels (not all spacings are in the file, so no ml)"
    millilitres = count * image.spacing[0] * image.spacing[1] * between / 1000
    return Measurement(name="volume", value=millilitres, unit="ml"), f"{millilitres:.4g} ml ({count} voxels)"


def _largest(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece of voxels that touch by their faces; the first one of several as large."""
    from scipy import ndimage

    library: Any = ndimage
    pieces, count = library.label(chosen)
    if count < 2:
        return chosen
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces == sizes.argmax()


def _outlined(image: MedicalImage, number: int, mask: NDArray[np.bool_]) -> MedicalImage:
    """The slice as it is displayed, with the pixels at the mask's inner edge coloured."""
    slice_ = picture_of(image, None, ACQUIRED, (number, number), image.measured[number - 1])
    picture = np.array(slice_.display().convert("RGB"))
    around = np.pad(mask, 1)
    inside = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    picture[mask & ~inside] = COLOUR
    return slice_.derived(picture, window=slice_.display_window)
