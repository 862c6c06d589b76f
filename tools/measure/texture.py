"""texture: how coarse, regular and contrasted the grain of a box is, in the features that radiomics papers report.

Haralick, Shanmugam and Dinstein, Textural Features for Image Classification, IEEE SMC 1973: counts of grey pairs of
neighbours (the grey-level co-occurrence matrix), here over 16 greys of the box's own range, at a distance, symmetric,
averaged over four directions. The range is the box's own so that brightness does not count as texture; compare boxes
of one image at one distance only.
"""

from typing import Annotated, Any, cast

import numpy as np
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import Box
from tools.images.drawing import COLOURS, rectangle, shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import Floats, greys, shown_colours, whole_box, with_contrast
from tools.images.ruler import ruler
from tools.medical_tool import medical_tool

LEVELS = 16
FEATURES = ("contrast", "homogeneity", "energy", "correlation", "entropy")


@medical_tool(family="measure", version="2")
def texture(image: MedicalImage, box: Box, distance: Annotated[int, Field(ge=1, le=20)] = 1) -> Evidence:
    """Measure the texture of a box: contrast, homogeneity, energy, correlation, entropy.

    The distance between compared pixels is in pixels; more sees coarser grain.
    """
    shown = left, top, right, bottom = whole_box(image, box, "texture")
    if min(right - left, bottom - top) <= distance:
        raise ToolRetry(
            f"texture: got box {box} of {right - left} x {bottom - top} pixels and distance {distance}; expected a box "
            "with sides longer than the distance."
        )
    ruler(image, shown, "texture")  # the grain of several views together is none
    values = with_contrast(greys(image)[top:bottom, left:right], image, "texture", box)
    found = haralick(values, distance)
    picture = shown_colours(image)
    rectangle(picture, shown, COLOURS[0])
    return Evidence(
        text=f"Texture of the box in image {image.number} at distance {distance}: "
        + ", ".join(f"{name} {value:.3g}" for name, value in found.items())
        + f" ({LEVELS} greys).",
        images=(shown_as(image, picture),),
        regions=regions_of(image, shown),
        measurements=tuple(Measurement(name=name, value=value, unit="1") for name, value in found.items()),
    )


def haralick(values: Floats, distance: int) -> dict[str, float]:
    """Each of FEATURES for `values` that are not all alike, their mean over four directions; entropy in bits."""
    import skimage.feature

    feature = cast("Any", skimage.feature)
    low, high = float(values.min()), float(values.max())
    levels = np.minimum((values - low) / (high - low) * LEVELS, LEVELS - 1).astype(np.uint8)
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    pairs = feature.graycomatrix(levels, [distance], angles, levels=LEVELS, symmetric=True, normed=True)
    found = {name: float(feature.graycoprops(pairs, name).mean()) for name in FEATURES[:-1]}
    share = np.asarray(pairs, np.float64)
    bits = -(share * np.log2(share, where=share > 0, out=np.zeros_like(share))).sum(axis=(0, 1))
    return {**found, "entropy": float(bits.mean())}
