"""How an expert speaks about phantoms: the boxes and points it writes, and its thoughts.

It writes coordinates on a coarse grid of 20 (of 999), so that the embedded policy has 50 coordinate tokens to learn,
not a thousand; a grid step is 10 pixels of a 512-pixel phantom, well inside what a zoom of 61 pixels forgives.
"""

from collections.abc import Sequence

from rl.tasks.demonstrator import GRID
from rl.tasks.phantoms.image import SIZE, Lesion
from tools.geometry import SCALE
from tools.toolbox import ToolCall

ZOOM_SIDE = 120
"""Side of the box that an expert zooms to, in 0-999 units: 61 pixels of 512."""

MEASURE = "I must measure."


def _on_grid(value: float) -> int:
    return GRID * round(value / GRID)


def zoom_call(x: float, y: float, side: int = ZOOM_SIDE) -> ToolCall:
    """The call that looks closer at a point of image 1, given in pixels."""
    left, top = (
        min(max(0, _on_grid(value / SIZE * SCALE - side / 2)), SCALE // GRID * GRID - side) for value in (x, y)
    )
    return ToolCall(name="zoom_in", arguments={"image": 1, "box": [left, top, left + side, top + side]})


def measure_call(a: Lesion, b: Lesion) -> ToolCall:
    """The call that measures from the centre of `a` to that of `b`."""
    start, end = ([_on_grid(value / SIZE * SCALE) for value in (lesion.x, lesion.y)] for lesion in (a, b))
    return ToolCall(name="measure_distance", arguments={"image": 1, "start": start, "end": end})


def reading(types: Sequence[str], first_image: int) -> str:
    """The thought that reads several views aloud: "Image 2: cystic, image 3: solid."."""
    said = [f"Image {first_image + index}: {name}" for index, name in enumerate(types)]
    return ", ".join(said) + "."
