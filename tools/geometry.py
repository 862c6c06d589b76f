"""Coordinates: what a policy writes, and where that lies in an image's pixels.

A policy writes integers 0-999 of the image it names, whatever that image's size (the convention of Qwen-VL and of most
grounding data); 1000, which some write for the last, is read as 999. 0 is the left or top edge and 999 the right or
bottom edge, so pixel = value / 999 * size. Pixel coordinates are continuous: x runs from 0 (left edge) to `width`
(right edge), y from 0 (top) to `height`.
"""

from typing import Annotated

from pydantic import BeforeValidator, Field

SCALE = 999
ALSO_LAST = 1000
"""What Qwen3-VL and others write for the right or bottom edge; read as SCALE."""


def _clamped(value: object) -> object:
    return SCALE if value == ALSO_LAST else value


Coordinate = Annotated[int, Field(ge=0, le=SCALE), BeforeValidator(_clamped)]
Box = Annotated[list[Coordinate], Field(min_length=4, max_length=4, description="[x1, y1, x2, y2], each 0-999")]
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2, description="[x, y], each 0-999")]

PixelBox = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of one image; x1 <= x2 and y1 <= y2."""


def point_to_pixels(point: Point, width: int, height: int) -> tuple[float, float]:
    """(x, y) in pixels of an image of `width` x `height` for a point in 0-999."""
    return point[0] / SCALE * width, point[1] / SCALE * height


def box_to_pixels(box: Box, width: int, height: int) -> PixelBox:
    """The box in pixels, its corners put in order (a policy may write them inverted)."""
    x1, y1 = point_to_pixels(box[:2], width, height)
    x2, y2 = point_to_pixels(box[2:], width, height)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def box_from_pixels(box: PixelBox, width: int, height: int) -> list[int]:
    """The nearest 0-999 box for a box in pixels, clipped to the image."""
    sizes = (width, height, width, height)
    return [min(SCALE, max(0, round(value / size * SCALE))) for value, size in zip(box, sizes, strict=True)]


def intersection_over_union(a: PixelBox, b: PixelBox) -> float:
    """IoU of two boxes in the same image's pixels; 0 where both are empty."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    overlap = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    return overlap / union if union > 0 else 0.0


def zoom_box(box: PixelBox, width: int, height: int, least_side: int = 32) -> tuple[int, int, int, int]:
    """Whole source pixels that a closer look at `box` shows: a square around it, inside the image.

    The box grows (never shrinks) around its centre to a square of at least `least_side` pixels, so a policy sees every
    view at the same aspect; it is shifted, not cut, to stay inside, and spans the image where that is smaller.
    """
    side = max(least_side, round(box[2] - box[0]), round(box[3] - box[1]))
    across, down = min(side, width), min(side, height)
    left = min(max(0, round((box[0] + box[2] - across) / 2)), width - across)
    top = min(max(0, round((box[1] + box[3] - down) / 2)), height - down)
    return left, top, left + across, top + down
