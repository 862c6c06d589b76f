"""zoom_with_margin: a box with some of its surroundings, at a size that the policy chooses.

A tool of its own beside zoom_in, whose arguments and line in the prompt policies were trained with. zoom_in resamples
nothing; this one does, for a small part that an image processor would else show as a few patches. Spacing follows the
new size, so that a distance on the view is a distance in the body.
"""

from typing import Annotated

from pydantic import Field

from tools.evidence import Evidence, region_of
from tools.geometry import Box, box_from_pixels, box_to_pixels
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool
from tools.pixels import resized, whole_box


@medical_tool(family="look", version="1")
def zoom_with_margin(
    image: MedicalImage,
    box: Box,
    margin: Annotated[int, Field(ge=0, le=200)] = 25,
    size: Annotated[int, Field(ge=64, le=2048)] = 512,
) -> Evidence:
    """Look closer at a box with a margin around it, enlarged.

    The margin is in percent of the box's sides, on each side; size is the longer side of the view in pixels.
    """
    left, top, right, bottom = whole_box(image, box, "zoom_with_margin")
    across, down = round((right - left) * margin / 100), round((bottom - top) * margin / 100)
    shown = (
        max(0, left - across),
        max(0, top - down),
        min(image.width, right + across),
        min(image.height, bottom + down),
    )
    part = image.crop(shown)
    scale = size / max(part.size)
    width, height = max(1, round(part.width * scale)), max(1, round(part.height * scale))
    spacing = part.spacing and (part.spacing[0] * part.height / height, part.spacing[1] * part.width / width)
    view = MedicalImage(resized(part.pixels, width, height), spacing, part.provenance, part.window)
    x1, y1, x2, y2 = box_to_pixels(box, image.width, image.height)
    inside = (x1 - shown[0], y1 - shown[1], x2 - shown[0], y2 - shown[1])
    return Evidence(
        text=f"Image {image.number} around the box, {scale:.2g} times its size; in the view the box is "
        f"{box_from_pixels(inside, part.width, part.height)}.",
        images=(view,),
        regions=(region_of(image, shown),),
    )
