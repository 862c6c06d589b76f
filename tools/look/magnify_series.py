"""magnify_series: one point seen from ever nearer, in panels of one size: where it lies, then what it is."""

from typing import Annotated

import numpy as np
from pydantic import Field

from tools.evidence import Evidence, regions_of
from tools.geometry import Point, point_to_pixels
from tools.images.drawing import COLOURS, rectangle
from tools.images.image import MedicalImage
from tools.images.pixels import WholeBox, large_enough, resized, shown_colours
from tools.images.side_by_side import Shown, side_by_side
from tools.medical_tool import medical_tool

PANEL = 384
"""Longer side of a panel in pixels."""

STEP = 3
"""Each panel shows a third of the one before."""


@medical_tool(family="look", version="2")
def magnify_series(image: MedicalImage, point: Point, steps: Annotated[int, Field(ge=1, le=3)] = 2) -> Evidence:
    """Show the surroundings of a point in steps, each three times closer.

    The first panel is the whole image; in each, a frame shows what the next one enlarges.
    """
    large_enough(image, STEP**steps * 2, "magnify_series")
    x, y = point_to_pixels(point, image.width, image.height)
    boxes = [_around(x, y, image, STEP**step) for step in range(steps + 1)]
    scale = PANEL / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    whole = shown_colours(image)
    parts = [
        Shown(_panel(whole, box, inner, size), image.crop(box))
        for box, inner in zip(boxes, [*boxes[1:], None], strict=True)
    ]
    return Evidence(
        text=f"Image {image.number} around {point}: {', '.join(f'{STEP**step}x' for step in range(steps + 1))}.",
        images=(side_by_side(parts),),
        regions=tuple(
            region for step, box in enumerate(boxes) if step for region in regions_of(image, box, f"{STEP**step}x")
        ),
    )


def _around(x: float, y: float, image: MedicalImage, times: int) -> WholeBox:
    """A box of the image's shape, so many times smaller, around the point and moved to lie inside."""
    width, height = round(image.width / times), round(image.height / times)
    left = min(max(0, round(x - width / 2)), image.width - width)
    top = min(max(0, round(y - height / 2)), image.height - height)
    return left, top, left + width, top + height


def _panel(
    whole: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], box: WholeBox, inner: WholeBox | None, size: tuple[int, int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    left, top, right, bottom = box
    panel = resized(whole[top:bottom, left:right], *size)
    if inner is not None:
        across, down = size[0] / (right - left), size[1] / (bottom - top)
        frame = (inner[0] - left) * across, (inner[1] - top) * down, (inner[2] - left) * across, (inner[3] - top) * down
        rectangle(panel, (round(frame[0]), round(frame[1]), round(frame[2]), round(frame[3])), COLOURS[0])
    return panel
