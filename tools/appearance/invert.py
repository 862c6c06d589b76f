"""invert: black for white, as radiologists flip an x-ray to see a nodule or a line that hides in the greys."""

import numpy as np

from tools.evidence import Evidence
from tools.images.drawing import shown_as
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool


@medical_tool(family="appearance", version="1")
def invert(image: MedicalImage) -> Evidence:
    """Show an image with black and white exchanged."""
    picture = 255 - np.asarray(image.display())
    return Evidence(text=f"Image {image.number} inverted.", images=(shown_as(image, picture),))
