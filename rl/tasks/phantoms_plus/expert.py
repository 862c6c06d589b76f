"""What an expert does about each kind of question: one turn of calls, in the words of the tools."""

from rl.tasks.phantoms_plus.scene import Lesion
from tools.calls import ToolCall
from tools.geometry import SCALE

AROUND = 1.8
"""Side of the box that it zooms to, in diameters of the lesion."""


def zoom(lesion: Lesion) -> ToolCall:
    """Looks closer at a lesion of image 1."""
    half = lesion.diameter * AROUND / 2
    box = [_coordinate(at) for at in (lesion.x - half, lesion.y - half, lesion.x + half, lesion.y + half)]
    return ToolCall(name="zoom_in", arguments={"image": 1, "box": box})


def measure(first: Lesion, second: Lesion) -> ToolCall:
    """Measures from centre to centre."""
    start, end = ([_coordinate(each.x), _coordinate(each.y)] for each in (first, second))
    return ToolCall(name="measure_distance", arguments={"image": 1, "start": start, "end": end})


def show_slice(number: int) -> ToolCall:
    """Shows a slice of the volume."""
    return ToolCall(name="show_slice", arguments={"image": 1, "slice": number})


def soft_tissue() -> ToolCall:
    """Shows the scan in a soft-tissue window."""
    return ToolCall(name="window_level", arguments={"image": 1, "preset": "soft_tissue"})


def _coordinate(share: float) -> int:
    return min(SCALE, max(0, round(share * SCALE)))
