"""How long a pixel is, and where nothing can be measured.

Millimetres where the image, or the calibrated region of it that is measured in, has a spacing; else pixels of the
original, so that an enlarged view measures the same as the scan. Pictures side by side have a ruler each, and there is
none between them: a distance across two panels is not a distance.
"""

import math
from dataclasses import dataclass
from typing import Literal

from tools.errors import ToolRetry
from tools.geometry import SCALE, PixelBox
from tools.images.image import MedicalImage
from tools.images.pixels import box_words, covered
from tools.images.provenance import Panel


@dataclass(frozen=True)
class Ruler:
    """How long a pixel of an image is, in one part of it."""

    down: float
    across: float
    unit: Literal["mm", "pixels"]
    """pixels: those of the original, taken as square, whatever the scale of the view."""

    def length(self, first: tuple[float, float], last: tuple[float, float]) -> float:
        """The length of the line from (x, y) to (x, y), in `unit`."""
        return math.hypot((last[0] - first[0]) * self.across, (last[1] - first[1]) * self.down)

    def area(self, pixels: float) -> tuple[str, float, str]:
        """(words, value, unit) of an area of so many pixels of the image."""
        area = pixels * self.down * self.across
        if self.unit == "mm":
            return f"{area:.1f} mm2", area, "mm2"
        return f"{area:.0f} pixels", area, "pixels2"


def ruler_in(image: MedicalImage, box: PixelBox) -> Ruler | None:
    """The one that holds in all of `box`; None where that lies across several views side by side, or on a plot.

    The edge of a view is met by a box that is beyond it by less than the least step of a policy's coordinates.
    """
    inner = _shrunk(box, image.width / SCALE, image.height / SCALE)
    spacing = image.spacing or image.facts.spacing_within(inner)
    if spacing is not None:
        return Ruler(*spacing, "mm")
    panels = image.origin().panels
    if not panels:
        return Ruler(1.0, 1.0, "pixels")
    for panel in panels:
        left, top, right, bottom = _in_pixels(panel, image)
        if left <= inner[0] and top <= inner[1] and inner[2] <= right and inner[3] <= bottom:
            x1, y1, x2, y2 = panel.box
            across, down = (y2 - y1, x2 - x1) if panel.on_its_side else (x2 - x1, y2 - y1)
            return Ruler(round(down / (bottom - top), 9), round(across / (right - left), 9), "pixels")
    return None


def ruler(image: MedicalImage, box: PixelBox, tool: str) -> Ruler:
    """The one that holds in all of `box`. ToolRetry where there is none: nothing is measured across views."""
    if (found := ruler_in(image, box)) is not None:
        return found
    parts = ", ".join(box_words(image, covered(_in_pixels(panel, image))) for panel in image.origin().panels)
    raise ToolRetry(
        f"{tool}: got {box_words(image, covered(box))} of image {image.number}, which shows views side by side or a "
        f"plot; expected a place within one view: {parts}."
    )


def why_no_mm(image: MedicalImage) -> str:
    """What to say where lengths are in pixels."""
    if not image.facts.regions:
        return "no spacing in the file, so no mm"
    boxes = ", ".join(box_words(image, each.box) for each in image.facts.regions)
    return f"a spacing is known only inside {boxes}, so no mm"


def _in_pixels(panel: Panel, image: MedicalImage) -> PixelBox:
    x1, y1, x2, y2 = panel.at
    return x1 * image.width, y1 * image.height, x2 * image.width, y2 * image.height


def _shrunk(box: PixelBox, across: float, down: float) -> PixelBox:
    """The box without so much at each side, at least its middle."""
    x1, y1, x2, y2 = box
    across, down = min(across, (x2 - x1) / 2), min(down, (y2 - y1) / 2)
    return x1 + across, y1 + down, x2 - across, y2 - down
