"""detect_edges: the outlines in an image, white on black.

Canny, A computational approach to edge detection, IEEE PAMI 1986. The two thresholds follow the image: they are
quantiles of its own gradient, so that a flat x-ray shows its edges as a contrasty one does.
"""

from typing import Annotated, Any, cast

import numpy as np
from pydantic import Field

from tools.evidence import Evidence, Measurement
from tools.images.drawing import shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import greys, large_enough, shown_greys, with_contrast
from tools.medical_tool import medical_tool

WEAK, STRONG = 0.85, 0.95
"""Quantiles of the gradient from which a pixel continues an edge, and from which it starts one."""


@medical_tool(family="find", version="1")
def detect_edges(
    image: MedicalImage, blur: Annotated[float, Field(ge=0.5, le=20, allow_inf_nan=False)] = 2
) -> Evidence:
    """Show the edges of an image, white on black.

    The blur in pixels is the size of detail that is left out.
    """
    import skimage.feature

    large_enough(image, 4, "detect_edges")
    with_contrast(greys(image), image, "detect_edges")
    edges = np.asarray(
        cast("Any", skimage.feature).canny(
            shown_greys(image), sigma=blur, low_threshold=WEAK, high_threshold=STRONG, use_quantiles=True
        ),
        np.bool_,
    )
    share = 100 * float(edges.mean())
    return Evidence(
        text=f"Edges of image {image.number} (Canny, blur {blur:g}): {share:.1f} % of its pixels.",
        images=(shown_as(image, edges.astype(np.uint8) * 255),),
        measurements=(Measurement(name="share of edges", value=share, unit="%"),),
    )
