"""segment_at: the region around a point whose values are like those at the point, outlined and measured.

Seeded region growing by flooding (scikit-image's `flood`): all that is connected to the point and within the tolerance
of its value, after a light blur so that a single grain neither stops the flood nor starts it. The tolerance is a
percentage of the image's range (its display window), the same for any depth.
"""

from typing import Annotated, Any, cast

import numpy as np
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import Point, point_to_pixels
from tools.images.drawing import COLOURS, outline, shown_as, tint
from tools.images.image import MedicalImage
from tools.images.pixels import Floats, Mask, greys, shown_colours, unit_of, with_contrast
from tools.images.ruler import ruler
from tools.medical_tool import medical_tool

BLUR = 1.0
"""Pixels of the Gaussian before the flood."""

TOO_MUCH = 0.9
"""Share of the image from which a flood has found the background, not a region."""


@medical_tool(family="find", version="2")
def segment_at(
    image: MedicalImage, point: Point, tolerance: Annotated[int, Field(ge=1, le=60, examples=[10])] = 10
) -> Evidence:
    """Outline and measure the region around a point whose values are like those at the point.

    The tolerance is in percent of the image's range: more of it grows the region.
    """
    values = with_contrast(greys(image), image, "segment_at")
    x, y = point_to_pixels(point, image.width, image.height)
    seed = min(int(y), image.height - 1), min(int(x), image.width - 1)
    width = image.display_window[1] if image.display_window else 255.0
    mask = flooded(values, seed, tolerance / 100 * width)
    if mask.mean() > TOO_MUCH:
        raise ToolRetry(
            f"segment_at: from point {point} with tolerance {tolerance} nearly the whole image is one region; "
            "choose a point inside what stands out, or a smaller tolerance."
        )
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    words, area, unit = ruler(image, box, "segment_at").area(float(mask.sum()))
    mean, of = float(values[mask].mean()), unit_of(image)
    picture = shown_colours(image)
    tint(picture, mask, COLOURS[0], 0.25)
    outline(picture, mask, COLOURS[0])
    return Evidence(
        text=f"Region around {point} in image {image.number}: {words}, mean {mean:.4g} {of}; outlined.",
        images=(shown_as(image, picture),),
        regions=regions_of(image, box),
        measurements=(
            Measurement(name="area", value=area, unit=unit),
            Measurement(name="mean", value=mean, unit=of),
        ),
    )


def flooded(values: Floats, seed: tuple[int, int], tolerance: float) -> Mask:
    """What is connected to `seed` (row, column) and within `tolerance` of its value, its holes filled."""
    import cv2
    import skimage.segmentation
    from scipy import ndimage

    smooth = np.asarray(cv2.GaussianBlur(values, (0, 0), BLUR))
    region = cast("Any", skimage.segmentation).flood(smooth, seed, tolerance=tolerance)
    return np.asarray(cast("Any", ndimage).binary_fill_holes(region), np.bool_)
