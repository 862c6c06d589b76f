"""mirror_compare: a region beside its counterpart on the other side of the body, turned over to match.

Left against right is how radiologists read a paired organ: what is on both sides is seldom the disease. The counterpart
is mirrored, so that a place in the left panel corresponds to the same place in the right one.
"""

import numpy as np

from tools.errors import ToolRetry
from tools.evidence import Evidence, regions_of
from tools.geometry import SCALE, Box, Coordinate
from tools.images.image import MedicalImage
from tools.images.pixels import whole_box
from tools.images.side_by_side import Shown, side_by_side
from tools.medical_tool import medical_tool


@medical_tool(family="look", version="2")
def mirror_compare(image: MedicalImage, box: Box, midline: Coordinate | None = None) -> Evidence:
    """Show a box beside its mirrored counterpart on the other side of the body.

    The midline is the x of the line of symmetry, 0-999; without it, the middle of the image.
    """
    left, top, right, bottom = whole_box(image, box, "mirror_compare")
    twice_middle = image.width if midline is None else round(2 * midline / SCALE * image.width)
    mirrored = (twice_middle - right, top, twice_middle - left, bottom)
    if mirrored[0] < 0 or mirrored[2] > image.width:
        raise ToolRetry(
            f"mirror_compare: got box {box} and midline {midline}, whose counterpart lies outside the image; "
            "choose a box nearer to the midline, or another midline."
        )
    views = image.crop((left, top, right, bottom)), image.crop(mirrored).turned(0, mirrored=True)
    return Evidence(
        text=f"Left: the box of image {image.number}. Right: its counterpart across the midline, mirrored.",
        images=(side_by_side([Shown(np.asarray(view.display()), view) for view in views]),),
        regions=(
            *regions_of(image, (left, top, right, bottom), "box"),
            *regions_of(image, mirrored, "counterpart"),
        ),
    )
