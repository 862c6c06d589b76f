"""sharpen: fine structure brought out by unsharp masking, as every film digitiser and x-ray console does.

The image plus `amount` times what a Gaussian blur of `radius` takes from it. Halos beside strong edges are the price,
and the docstring says so: a policy must not read them as findings.
"""

from typing import Annotated, Any, cast

import numpy as np
from pydantic import Field

from tools.evidence import Evidence
from tools.images.drawing import shown_as
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool


@medical_tool(family="appearance", version="1")
def sharpen(
    image: MedicalImage,
    radius: Annotated[float, Field(ge=0.5, le=20, allow_inf_nan=False)] = 2,
    amount: Annotated[float, Field(gt=0, le=5, allow_inf_nan=False)] = 1,
) -> Evidence:
    """Show an image sharpened (unsharp mask).

    The radius in pixels is the size of the structure to bring out; bright or dark rims beside strong edges are
    artefacts.
    """
    import skimage.filters

    shown = np.asarray(image.display(), np.float32) / 255
    axis = 2 if shown.ndim == 3 else None  # not -1: scikit-image 0.26 then sharpens rows and leaves the rest unset
    made = cast("Any", skimage.filters).unsharp_mask(shown, radius=radius, amount=amount, channel_axis=axis)
    picture = np.rint(np.clip(np.asarray(made), 0, 1) * 255).astype(np.uint8)
    return Evidence(
        text=f"Image {image.number} sharpened (radius {radius:g}, amount {amount:g}).",
        images=(shown_as(image, picture),),
    )
