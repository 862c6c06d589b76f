"""compare_regions: two boxes side by side at one scale, of one image or of two.

Sizes can only be compared at the same scale: millimetres where both images know their spacing, else pixels. Greys can
only be compared in the same window: within one image it is that image's for both.
"""

from collections.abc import Sequence

import numpy as np

from tools.errors import ToolRetry
from tools.evidence import Evidence, regions_of
from tools.geometry import Box
from tools.images.image import MedicalImage
from tools.images.pixels import resized, whole_box
from tools.images.side_by_side import Shown, side_by_side
from tools.medical_tool import medical_tool

MOST_SIDE = 1024
"""Of one panel: two of them are looked at together."""


@medical_tool(family="look", version="2")
def compare_regions(image: MedicalImage, box: Box, other_image: MedicalImage, other_box: Box) -> Evidence:
    """Show two boxes side by side at the same scale."""
    first, second = whole_box(image, box, "compare_regions"), whole_box(other_image, other_box, "compare_regions")
    views = [image.crop(first), other_image.crop(second)]
    sizes, scale = _sizes(views)
    parts = [Shown(resized(np.asarray(view.display()), *size), view) for view, size in zip(views, sizes, strict=True)]
    return Evidence(
        text=f"Left: the box of image {image.number}. Right: that of image {other_image.number}. Same scale ({scale}).",
        images=(side_by_side(parts),),
        regions=(*regions_of(image, first), *regions_of(other_image, second)),
    )


def _sizes(views: Sequence[MedicalImage]) -> tuple[list[tuple[int, int]], str]:
    """(width, height) of each picture, and the words for their common scale."""
    known = [view.spacing for view in views if view.spacing is not None]
    if len(known) == 2:
        extents = [(view.width * across, view.height * down) for view, (down, across) in zip(views, known, strict=True)]
        pixel, scale = min(min(each) for each in known), "in mm"
    else:
        extents = [(float(view.width), float(view.height)) for view in views]
        pixel, scale = 1.0, "in pixels; a spacing is missing, so not in mm"
    longest = max(max(each) for each in extents)
    pixel = max(pixel, longest / MOST_SIDE)
    sizes = [(round(across / pixel), round(down / pixel)) for across, down in extents]
    if min(min(each) for each in sizes) < 1:
        raise ToolRetry(
            "compare_regions: one box is so much smaller than the other that it would vanish at the same scale; "
            "choose boxes of more similar size."
        )
    return sizes, scale
