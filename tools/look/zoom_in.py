"""zoom_in: the pixels of a part of an image, exactly as they were measured unless another size is asked for.

Nothing is resampled by default: the policy's image processor scales every image as it likes, and a measurement on the
view must mean the same as one on the scan. With `size` the view is enlarged (or reduced), for a part so small that a
processor would show it as a few patches; its spacing follows. What a call shows is a square (see `zoom_box`), so that
views keep one aspect.
"""

from typing import Annotated

from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, regions_of
from tools.geometry import Box, box_to_pixels, zoom_box
from tools.images.image import MedicalImage
from tools.images.pixels import resized
from tools.medical_tool import medical_tool


@medical_tool(family="look", version="3")
def zoom_in(
    image: MedicalImage,
    box: Box,
    margin: Annotated[int, Field(ge=0, le=200)] = 0,
    size: Annotated[int, Field(ge=64, le=2048)] | None = None,
) -> Evidence:
    """Look closer at a box of an image.

    The margin of context is in percent of the box's sides, on each side; size is the longer side of the view in pixels,
    by default as many as the scan has there.
    """
    left, top, right, bottom = box_to_pixels(box, image.width, image.height)
    if left == right or top == bottom:
        raise ToolRetry(
            f"zoom_in: got box {box}, which has no area; expected [x1, y1, x2, y2] with x1 < x2 and y1 < y2."
        )
    across, down = (right - left) * margin / 100, (bottom - top) * margin / 100
    shown = zoom_box((left - across, top - down, right + across, bottom + down), image.width, image.height)
    view = image.crop(shown)
    return Evidence(
        text=f"Closer view of image {image.number}.",
        images=(view if size is None else _sized(view, size),),
        regions=regions_of(image, shown),
    )


def _sized(view: MedicalImage, size: int) -> MedicalImage:
    """The view with its longer side of `size` pixels; a pixel's spacing changes with it."""
    scale = size / max(view.size)
    width, height = max(1, round(view.width * scale)), max(1, round(view.height * scale))
    spacing = view.spacing and (view.spacing[0] * view.height / height, view.spacing[1] * view.width / width)
    facts = view.facts.scaled(width / view.width, height / view.height)
    return MedicalImage(resized(view.pixels, width, height), spacing, view.provenance, view.window, facts=facts)
