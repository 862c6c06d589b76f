"""new_tool: what it shows or measures, on which values, and why in this way."""

import numpy as np

from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import Box
from tools.images.image import MedicalImage
from tools.images.pixels import greys, unit_of, whole_box
from tools.medical_tool import medical_tool


@medical_tool(family="new_family")
def new_tool(image: MedicalImage, box: Box) -> Evidence:
    """Measure how much brighter a box is than the whole image."""
    shown = left, top, right, bottom = whole_box(image, box, "new_tool")
    values = greys(image).astype(np.float64)
    found = float(values[top:bottom, left:right].mean() - values.mean())
    return Evidence(
        text=f"The box of image {image.number} is {found:+.4g} {unit_of(image)} beside the whole image.",
        regions=regions_of(image, shown),
        measurements=(Measurement(name="difference", value=found, unit=unit_of(image)),),
    )
