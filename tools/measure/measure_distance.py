"""measure_distance: how far apart two points are, in mm where the image knows its spacing."""

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement
from tools.geometry import Point, point_to_pixels
from tools.images.image import MedicalImage
from tools.images.ruler import ruler, why_no_mm
from tools.medical_tool import medical_tool


@medical_tool(family="measure", version="2")
def measure_distance(image: MedicalImage, start: Point, end: Point) -> Evidence:
    """Measure the distance between two points of an image."""
    if start == end:
        raise ToolRetry(
            f"measure_distance: got the same point {start} as start and end; expected two different points."
        )
    first, last = (point_to_pixels(point, image.width, image.height) for point in (start, end))
    box = min(first[0], last[0]), min(first[1], last[1]), max(first[0], last[0]), max(first[1], last[1])
    scale = ruler(image, box, "measure_distance")
    length = scale.length(first, last)
    return Evidence(
        text=f"Distance: {length:.1f} {scale.unit}" + ("." if scale.unit == "mm" else f" ({why_no_mm(image)})."),
        measurements=(Measurement(name="distance", value=length, unit=scale.unit),),
    )
