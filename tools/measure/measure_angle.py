"""measure_angle: the angle at a corner between two lines, in the body's own proportions.

Where rows and columns have different spacings, an angle in pixels is wrong: it is measured in mm then. Without a
spacing pixels are taken as square, and the text says so.
"""

import math

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import Point, point_to_pixels
from tools.images.drawing import COLOURS, lines, shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import shown_colours
from tools.images.ruler import ruler, why_no_mm
from tools.medical_tool import medical_tool


@medical_tool(family="measure", version="2")
def measure_angle(image: MedicalImage, start: Point, corner: Point, end: Point) -> Evidence:
    """Measure the angle at a corner between the lines to two other points."""
    if corner in (start, end):
        raise ToolRetry(f"measure_angle: got the corner {corner} as start or end too; expected three different points.")
    places = [point_to_pixels(point, image.width, image.height) for point in (start, corner, end)]
    xs, ys = [x for x, _ in places], [y for _, y in places]
    box = min(xs), min(ys), max(xs), max(ys)
    scale = ruler(image, box, "measure_angle")
    (x1, y1), (x2, y2), (x3, y3) = ((x * scale.across, y * scale.down) for x, y in places)
    first, second = math.atan2(y1 - y2, x1 - x2), math.atan2(y3 - y2, x3 - x2)
    turn = abs(math.degrees(first - second)) % 360
    angle = min(turn, 360 - turn)
    picture = shown_colours(image)
    lines(picture, places, COLOURS[0])
    return Evidence(
        text=f"Angle: {angle:.1f} degrees"
        + ("." if scale.unit == "mm" else f" ({why_no_mm(image)}; pixels taken as square)."),
        images=(shown_as(image, picture),),
        regions=regions_of(image, box),
        measurements=(Measurement(name="angle", value=angle, unit="degrees"),),
    )
