"""measure_area: the area and circumference of a polygon that the policy draws, shown on the image.

Area by the shoelace formula in the image's own coordinates, each direction by its own spacing. A polygon whose sides
cross has no area that anyone means, so it is sent back.
"""

from itertools import combinations
from typing import Annotated

import numpy as np
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import Point, point_to_pixels
from tools.images.drawing import COLOURS, lines, shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import shown_colours
from tools.images.ruler import ruler, why_no_mm
from tools.medical_tool import medical_tool

Corner = tuple[float, float]


@medical_tool(family="measure", version="2")
def measure_area(
    image: MedicalImage,
    points: Annotated[list[Point], Field(min_length=3, max_length=50, examples=[[[120, 340], [420, 340], [420, 610]]])],
) -> Evidence:
    """Measure the area inside a line through three or more points.

    The line is closed from the last point to the first.
    """
    corners = [point_to_pixels(point, image.width, image.height) for point in points]
    if _crosses(corners):
        raise ToolRetry("measure_area: got points whose line crosses itself; list them in order around the outline.")
    pixels = _shoelace(corners)
    if pixels == 0:
        raise ToolRetry("measure_area: got points that lie on one line and enclose nothing; spread them around it.")
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    box = min(xs), min(ys), max(xs), max(ys)
    scale = ruler(image, box, "measure_area")
    words, area, unit = scale.area(pixels)
    around = sum(scale.length(*side) for side in zip(corners, [*corners[1:], corners[0]], strict=True))
    picture = shown_colours(image)
    lines(picture, corners, COLOURS[0], closed=True)
    return Evidence(
        text=f"Area: {words}, circumference {around:.1f} {scale.unit}"
        + ("." if scale.unit == "mm" else f" ({why_no_mm(image)})."),
        images=(shown_as(image, picture),),
        regions=regions_of(image, box),
        measurements=(
            Measurement(name="area", value=area, unit=unit),
            Measurement(name="circumference", value=around, unit=scale.unit),
        ),
    )


def _shoelace(corners: list[Corner]) -> float:
    x, y = np.asarray(corners).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _crosses(corners: list[Corner]) -> bool:
    """Whether two sides that are no neighbours cross."""
    sides = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    return any(
        _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0
        for (a, b), (c, d) in combinations(sides, 2)
    )


def _turn(a: Corner, b: Corner, c: Corner) -> float:
    """Above 0 where c lies on one side of the line from a to b, below 0 on the other."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
