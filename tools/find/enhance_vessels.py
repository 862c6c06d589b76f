"""enhance_vessels: tubes shown bright and all else dark, for vessels, catheters, ribs of a given width.

Frangi, Niessen, Vincken and Viergever, Multiscale vessel enhancement filtering, MICCAI 1998: from the eigenvalues of
the Hessian at several scales, the largest answer. Larger images are computed on a copy, the widths with them.
"""

from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement
from tools.images.drawing import shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import Floats, greys, large_enough, resized, shown_colours, shown_greys, shrunk, with_contrast
from tools.medical_tool import medical_tool

MOST_SIDE = 1024
"""Of the copy in pixels."""

SCALES = 4
"""Widths looked for, evenly from the narrowest to the widest."""

VESSEL = 0.1
"""Answer, as a share of the strongest, from which a pixel counts as vessel."""


@medical_tool(family="find", version="1")
def enhance_vessels(
    image: MedicalImage,
    vessels: Literal["bright", "dark"] = "bright",
    narrowest: Annotated[int, Field(ge=1, le=50)] = 2,
    widest: Annotated[int, Field(ge=1, le=50)] = 10,
) -> Evidence:
    """Show vessels and other tubes bright, all else dark.

    Say whether they are brighter or darker than their surroundings (in the green of the retina: dark), and how wide in
    pixels.
    """
    if narrowest > widest:
        raise ToolRetry(f"enhance_vessels: got narrowest {narrowest} and widest {widest}; expected it the other way.")
    large_enough(image, 8, "enhance_vessels")
    with_contrast(greys(image), image, "enhance_vessels")
    plane = shown_greys(image)
    if image.pixels.ndim == 3:  # blood is darkest in green
        plane = shown_colours(image)[:, :, 1].astype(np.float32) / 255
    small = cast("Floats", shrunk(plane, MOST_SIDE))
    scale = max(small.shape) / max(plane.shape)
    answer = tubeness(small, vessels == "dark", narrowest * scale, widest * scale)
    strongest = float(np.percentile(answer, 99.9)) or float(answer.max()) or 1.0
    strength = np.clip(answer / strongest, 0, 1).astype(np.float32)
    share = 100 * float((strength > VESSEL).mean())
    picture = np.rint(resized(np.sqrt(strength), image.width, image.height) * 255).astype(np.uint8)
    return Evidence(
        text=f"{vessels.capitalize()} tubes {narrowest} to {widest} pixels wide in image {image.number} (Frangi): "
        f"{share:.1f} % of it.",
        images=(shown_as(image, picture),),
        measurements=(Measurement(name="share of vessels", value=share, unit="%"),),
    )


def tubeness(plane: Floats, dark: bool, narrowest: float, widest: float) -> Floats:
    """Frangi's measure, (height, width), 0 and above; the Gaussian's sigma is half of a tube's width."""
    import skimage.filters

    sigmas = np.unique(np.linspace(narrowest / 2, widest / 2, SCALES))
    return np.asarray(cast("Any", skimage.filters).frangi(plane, sigmas=sigmas, black_ridges=dark), np.float32)
