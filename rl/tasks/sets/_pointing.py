"""Questions that point into an image, and the look that answers them.

The place is written in the question, on a grid of 20 of 999 as the embedded policy writes coordinates; what lies there
is too small to be told in a thumbnail. The expert's look is at that place.
"""

from typing import Any

from tools.calls import ToolCall
from tools.geometry import SCALE, PixelBox

GRID = 20
LAST = SCALE // GRID * GRID


def point_at(x: float, y: float, size: tuple[int, int]) -> tuple[int, int]:
    """The grid point nearest to a place in pixels."""
    across, down = (GRID * round(value / whole * SCALE / GRID) for value, whole in zip((x, y), size, strict=True))
    return min(across, LAST), min(down, LAST)


def inside(point: tuple[int, int], box: PixelBox, size: tuple[int, int], clear: float) -> bool:
    """Whether a point in 0-999 lies in the box, off its borders by `clear` of the box's sides."""
    x, y = (value / SCALE * whole for value, whole in zip(point, size, strict=True))
    across, down = clear * (box[2] - box[0]), clear * (box[3] - box[1])
    return box[0] + across <= x <= box[2] - across and box[1] + down <= y <= box[3] - down


def around(point: tuple[int, int], reach: int) -> tuple[int, int, int, int] | None:
    """The box that reaches `reach` to each side of a point; None where the image ends before."""
    if min(point) < reach or max(point) > LAST - reach:
        return None
    return point[0] - reach, point[1] - reach, point[0] + reach, point[1] + reach


def look_into(box: tuple[int, int, int, int]) -> dict[str, Any]:
    """The call that looks into a box of image 1, in 0-999."""
    return ToolCall(name="zoom_in", arguments={"image": 1, "box": list(box)}).model_dump()
