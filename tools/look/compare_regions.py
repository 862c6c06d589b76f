"""compare_regions: two boxes side by side at one scale, of one image or of two.

Sizes can only be compared at the same scale: millimetres where both images know their spacing, else pixels. Greys can
only be compared in the same window: within one image it is that image's for both.
"""

import numpy as np
from numpy.typing import NDArray

from tools.drawing import composed, strip
from tools.errors import ToolRetry
from tools.evidence import Evidence, region_of
from tools.geometry import Box
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool
from tools.pixels import WholeBox, resized, spacing_in, whole_box

MOST_SIDE = 1024
"""Of one panel: two of them are looked at together."""

Spacing = tuple[float, float]


@medical_tool(family="look", version="1")
def compare_regions(image: MedicalImage, box: Box, other_image: MedicalImage, other_box: Box) -> Evidence:
    """Show two boxes side by side at the same scale."""
    first, second = whole_box(image, box, "compare_regions"), whole_box(other_image, other_box, "compare_regions")
    parts = [_shown(image, first), _shown(other_image, second)]
    if any(part.ndim == 3 for part in parts):
        parts = [part if part.ndim == 3 else np.repeat(part[:, :, None], 3, axis=2) for part in parts]
    spacings = spacing_in(image, first), spacing_in(other_image, second)
    sizes, scale = _sizes(parts, spacings)
    panels = [resized(part, *size) for part, size in zip(parts, sizes, strict=True)]
    return Evidence(
        text=f"Left: the box of image {image.number}. Right: that of image {other_image.number}. Same scale ({scale}).",
        images=(composed(image, strip(panels)),),
        regions=(region_of(image, first), region_of(other_image, second)),
    )


def _shown(image: MedicalImage, box: WholeBox) -> NDArray[np.uint8]:
    left, top, right, bottom = box
    return np.asarray(image.display())[top:bottom, left:right]


def _sizes(
    parts: list[NDArray[np.uint8]], spacings: tuple[Spacing | None, Spacing | None]
) -> tuple[list[tuple[int, int]], str]:
    """(width, height) of each panel, and the words for their common scale."""
    known = [each for each in spacings if each is not None]
    if len(known) == 2:
        extents = [(part.shape[1] * each[1], part.shape[0] * each[0]) for part, each in zip(parts, known, strict=True)]
        pixel, scale = min(min(each) for each in known), "in mm"
    else:
        extents = [(float(part.shape[1]), float(part.shape[0])) for part in parts]
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
