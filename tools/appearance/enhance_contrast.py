"""enhance_contrast: local contrast, each part of the image stretched for itself.

CLAHE (Zuiderveld, Contrast Limited Adaptive Histogram Equalization, Graphics Gems IV, 1994): histogram equalisation in
tiles, with a limit so that noise in flat parts is not blown up. More than 8 bits are equalised in 1,024 greys of
their display window; of colour images the lightness alone is, so that no stain changes its colour.
"""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.pixels import greys, shown_colours, with_contrast
from tools.images.windowing import window_shares
from tools.medical_tool import medical_tool

TILES = (8, 8)

LEVELS = 1024
"""Greys of an image that is not 8-bit. OpenCV counts 65,536: a tile then has too few pixels for any of them."""


@medical_tool(family="appearance", version="1")
def enhance_contrast(
    image: MedicalImage, strength: Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)] = 3
) -> Evidence:
    """Show an image with more local contrast (CLAHE).

    Strength is the limit of the stretching; the greys are no measurement any more.
    """
    import cv2

    with_contrast(greys(image), image, "enhance_contrast")
    if image.pixels.ndim == 3:
        lab = np.asarray(cv2.cvtColor(shown_colours(image), cv2.COLOR_RGB2LAB)).copy()
        lab[:, :, 0] = _equalised(np.ascontiguousarray(lab[:, :, 0]), strength)
        shown = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
    elif image.pixels.dtype == np.uint8:
        shown = _equalised(np.asarray(image.display()), strength)
    else:
        equal = _equalised(_levels(image), strength * 65536 / LEVELS).astype(np.float32)
        shown = np.rint(equal * (255 / 65535)).astype(np.uint8)
    return Evidence(
        text=f"Image {image.number} with local contrast enhanced (CLAHE, limit {strength:g}).",
        images=(image.derived(shown, window=image.display_window),),
    )


def _levels(image: MedicalImage) -> NDArray[np.uint16]:
    """The display window in LEVELS steps, spread over 16 bits."""
    share = window_shares(greys(image), image.display_window or (0.5, 1.0))
    step = 65536 // LEVELS
    return (np.rint(share * (LEVELS - 1)) * step).astype(np.uint16)


def _equalised(plane: NDArray[Any], limit: float) -> NDArray[Any]:
    """CLAHE of a plane, repeated at its edges where it is smaller than the tiles need."""
    import cv2

    rows, columns = (max(0, 2 * each - size) for each, size in zip(TILES, plane.shape, strict=True))
    padded = np.pad(plane, ((0, rows), (0, columns)), mode="edge")
    made = np.asarray(cv2.createCLAHE(limit, TILES).apply(padded))
    return made[: plane.shape[0], : plane.shape[1]]
