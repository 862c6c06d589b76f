"""zoom_in: the pixels of a part of an image, exactly as they were measured.

Nothing is resampled here: the policy's image processor scales every image as it likes, and a measurement on the view
must mean the same as one on the scan. What a call shows is a square (see `zoom_box`), so that views keep one aspect.
"""

from tools.errors import ToolRetry
from tools.evidence import Evidence, region_of
from tools.geometry import Box, box_to_pixels, zoom_box
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool


@medical_tool(family="look", version="1")
def zoom_in(image: MedicalImage, box: Box) -> Evidence:
    """Look closer at a box of an image."""
    left, top, right, bottom = box_to_pixels(box, image.width, image.height)
    if left == right or top == bottom:
        raise ToolRetry(
            f"zoom_in: got box {box}, which has no area; expected [x1, y1, x2, y2] with x1 < x2 and y1 < y2."
        )
    shown = zoom_box((left, top, right, bottom), image.width, image.height)
    return Evidence(
        text=f"Closer view of image {image.number}.",
        images=(image.crop(shown),),
        regions=(region_of(image, shown),),
    )
