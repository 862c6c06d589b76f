"""denoise: the same image with less grain, its edges kept.

Two methods for two kinds of noise: the median takes out single wrong pixels (salt and pepper), the bilateral filter
(Tomasi and Manduchi, Bilateral filtering for gray and color images, ICCV 1998) smooths grain between edges. How much
noise there is is estimated as in Immerkaer, Fast noise variance estimation, CVIU 1996, and told before and after, so
that a policy knows whether it was worth it. Depth is kept.
"""

import math
from dataclasses import replace
from typing import Annotated, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools.evidence import Evidence, Measurement
from tools.images.image import MedicalImage
from tools.images.pixels import GREY_VALUES, Floats, greys, large_enough
from tools.medical_tool import medical_tool

_LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)
"""The difference of two Laplacians: blind to edges that are straight."""


@medical_tool(family="appearance", version="2")
def denoise(
    image: MedicalImage,
    method: Literal["median", "edge_preserving"] = "edge_preserving",
    radius: Annotated[int, Field(ge=1, le=5)] = 2,
) -> Evidence:
    """Show an image with less noise.

    The median is for single wrong pixels, edge_preserving for grain; the radius is in pixels.
    """
    large_enough(image, 3, "denoise")
    before = noise(greys(image))
    planes = _planes(image)
    cleaned = [_median(each, radius) if method == "median" else _bilateral(each, radius) for each in planes]
    pixels = cleaned[0] if len(cleaned) == 1 else np.stack(cleaned, axis=2)
    if image.pixels.dtype.kind != "f":
        pixels = np.rint(pixels)
    made = image.derived(pixels.astype(image.pixels.dtype))
    shown = replace(made, window=image.display_window)
    after = noise(greys(shown))
    return Evidence(
        text=f"Image {image.number} denoised ({method}, radius {radius}): noise {before:.2g}, now {after:.2g}.",
        images=(shown,),
        measurements=(
            Measurement(name="noise before", value=before, unit=GREY_VALUES),
            Measurement(name="noise after", value=after, unit=GREY_VALUES),
        ),
    )


def noise(values: Floats) -> float:
    """The standard deviation of the noise in `values`, (height, width) of at least 3 x 3."""
    from scipy import signal

    answer = np.asarray(cast("Any", signal).convolve2d(values.astype(np.float64), _LAPLACIANS, mode="valid"))
    return float(math.sqrt(math.pi / 2) / 6 * np.abs(answer).mean())


def _planes(image: MedicalImage) -> list[Floats]:
    if image.pixels.ndim == 2:
        return [greys(image)]
    return [np.nan_to_num(image.pixels[:, :, channel].astype(np.float32)) for channel in range(3)]


def _median(values: Floats, radius: int) -> NDArray[Any]:
    from scipy import ndimage

    return np.asarray(cast("Any", ndimage).median_filter(values, size=2 * radius + 1))


def _bilateral(values: Floats, radius: int) -> NDArray[Any]:
    import cv2

    # three times the noise: grain is averaged, a step of more than that is an edge
    return np.asarray(cv2.bilateralFilter(values, 2 * radius + 1, max(3 * noise(values), 1e-6), float(radius)))
