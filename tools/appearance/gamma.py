"""gamma: dark or bright parts opened up, black and white staying where they are.

Output is input to the power of gamma, both from 0 to 1 within the display window. It is computed from the values as
measured, not from 8-bit greys, so that a 16-bit image shows steps that its display hides.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.windowing import window_shares
from tools.medical_tool import medical_tool


@medical_tool(family="appearance", version="1")
def gamma(
    image: MedicalImage, gamma: Annotated[float, Field(ge=0.1, le=10, allow_inf_nan=False, examples=[0.5])]
) -> Evidence:
    """Show an image with its dark parts brighter (gamma below 1) or its bright parts darker (above 1)."""
    if gamma == 1:
        raise ToolRetry("gamma: got gamma 1, which changes nothing; expected 0.1 to 10, e.g. 0.5 to see into the dark.")
    share = window_shares(image.pixels, image.display_window or (127.5, 255.0))
    picture = np.rint(share**gamma * 255).astype(np.uint8)
    return Evidence(
        text=f"Image {image.number} with gamma {gamma:g}.",
        images=(image.derived(picture, window=image.display_window),),
    )
