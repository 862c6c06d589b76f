"""maximum_intensity_projection: the brightest value along each line through several slices, in one picture.

Vessels with contrast, bone and nodules stand out of what is darker, and something that runs through many slices is seen
whole. What lies behind it in the line is not seen: a projection has no depth.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, regions_of
from tools.images.image import MedicalImage
from tools.images.volume import Plane, slab
from tools.medical_tool import medical_tool
from tools.volume.pictures import check_numbers, count_in, layout_in, oblique, picture_of, volume_in

Number = Annotated[int | None, Field(ge=1)]


@medical_tool(family="volume", version="1")
def maximum_intensity_projection(
    image: MedicalImage, plane: Plane | None = None, first: Number = None, last: Number = None
) -> Evidence:
    """Show the brightest value through the slices of a volume, first to last, as one picture.

    The plane is axial, coronal or sagittal (numbered as in reslice); without one, slices as they were acquired.
    """
    volume = volume_in(image, "maximum_intensity_projection")
    if volume.voxels.ndim == 4:
        raise ToolRetry(
            f"maximum_intensity_projection: got image {image.number}, which is in colour and has no brightest value; "
            "expected a volume in greys."
        )
    how = layout_in(image, plane, "maximum_intensity_projection")
    count = count_in(image, how)
    numbers = first or 1, last or count
    check_numbers(image, how, *numbers, "maximum_intensity_projection")
    values = np.fmax.reduce(slab(volume.voxels, how, *numbers), axis=0)
    shown = picture_of(image, plane, how, numbers, values)
    text = (
        f"{f'{plane.capitalize()} m' if plane else 'M'}aximum intensity projection of slices {numbers[0]} to "
        f"{numbers[1]} of {count} of image {image.number}.{oblique(how)}"
    )
    box = (0.0, 0.0, float(shown.width), float(shown.height))
    return Evidence(text=text, images=(shown,), regions=regions_of(shown, box))
