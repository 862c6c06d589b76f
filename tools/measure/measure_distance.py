"""measure_distance: how far apart two points are, in mm where the image knows its spacing."""

import math

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement
from tools.geometry import Point, point_to_pixels
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool


@medical_tool(family="measure", version="1")
def measure_distance(image: MedicalImage, start: Point, end: Point) -> Evidence:
    """Measure the distance between two points of an image."""
    if start == end:
        raise ToolRetry(
            f"measure_distance: got the same point {start} as start and end; expected two different points."
        )
    start_x, start_y = point_to_pixels(start, image.width, image.height)
    end_x, end_y = point_to_pixels(end, image.width, image.height)
    across, down = end_x - start_x, end_y - start_y
    if image.spacing is None:
        pixels = math.hypot(across, down)
        return Evidence(
            text=f"Distance: {pixels:.1f} pixels (no spacing in the file, so no mm).",
            measurements=(Measurement(name="distance", value=pixels, unit="pixels"),),
        )
    row_spacing, column_spacing = image.spacing
    millimetres = math.hypot(across * column_spacing, down * row_spacing)
    return Evidence(
        text=f"Distance: {millimetres:.1f} mm.",
        measurements=(Measurement(name="distance", value=millimetres, unit="mm"),),
    )
