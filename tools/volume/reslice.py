"""reslice: a volume cut another way: axial, coronal or sagittal, whichever way it was scanned.

The cut follows the voxels, so that no value is invented but by the interpolation that makes pixels square (see
`pictures`). Pictures hang as radiologists hang them, and are numbered from the feet to the head (axial), from front to
back (coronal), from the patient's right to the left (sagittal).
"""

from typing import Annotated

from pydantic import Field

from tools.evidence import Evidence, regions_of
from tools.images.image import MedicalImage
from tools.images.volume import Plane, slab
from tools.medical_tool import medical_tool
from tools.volume.pictures import check_numbers, count_in, layout_in, oblique, picture_of, volume_in


@medical_tool(family="volume", version="1")
def reslice(image: MedicalImage, plane: Plane, slice: Annotated[int | None, Field(examples=[30])] = None) -> Evidence:
    """Show an axial, coronal or sagittal slice of a volume; without a number, the middle one.

    Slices are numbered from 1: axial from the feet, coronal from the front, sagittal from the patient's right.
    """
    volume = volume_in(image, "reslice")
    how = layout_in(image, plane, "reslice")
    count = count_in(image, how)
    number = count // 2 + 1 if slice is None else slice
    check_numbers(image, how, number, number, "reslice")
    values = slab(volume.voxels, how, number, number)[0]
    shown = picture_of(image, plane, how, (number, number), values)
    text = f"{plane.capitalize()} slice {number} of {count} of image {image.number}.{oblique(how)}"
    box = (0.0, 0.0, float(shown.width), float(shown.height))
    return Evidence(text=text, images=(shown,), regions=regions_of(shown, box))
