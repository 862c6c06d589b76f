"""overlay_mask: one image's bright parts, tinted on another image of the same view.

Edges, vessels, a stain or a segmentation come as images of their own; laid on the scan they can be checked against it.
Whatever in the mask image is brighter than a level of its display belongs to the mask.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.images.drawing import COLOURS, outline, shown_as, tint
from tools.images.image import MedicalImage
from tools.images.pixels import resized_mask, shown_colours, shown_greys
from tools.medical_tool import medical_tool

MOST_UNLIKE_SHAPES = 1.2
"""Ratio of the two images' aspects up to which they can be of the same view."""

NAMED = dict(zip(("yellow", "blue", "pink", "green", "orange", "violet"), COLOURS, strict=True))


@medical_tool(family="draw", version="2")
def overlay_mask(
    image: MedicalImage,
    mask_image: MedicalImage,
    level: Annotated[int, Field(ge=1, le=255)] = 128,
    colour: Literal["yellow", "blue", "pink", "green", "orange", "violet"] = "yellow",
    opacity: Annotated[int, Field(ge=0, le=100)] = 40,
) -> Evidence:
    """Tint on an image what is bright in another image of the same view, such as its edges or vessels.

    What is at least as bright as the level (0-255) is tinted and outlined; the opacity is in percent.
    """
    shape = (image.width / image.height) / (mask_image.width / mask_image.height)
    if not 1 / MOST_UNLIKE_SHAPES <= shape <= MOST_UNLIKE_SHAPES:
        raise ToolRetry(
            f"overlay_mask: got images of {image.width} x {image.height} and {mask_image.width} x {mask_image.height} "
            "pixels; expected two of the same view."
        )
    small = shown_greys(mask_image) * 255 >= level - 0.5
    if not small.any():
        raise ToolRetry(
            f"overlay_mask: nothing in image {mask_image.number} is as bright as level {level} (its brightest is "
            f"{shown_greys(mask_image).max() * 255:.0f}); lower the level."
        )
    mask = resized_mask(small, image.width, image.height)
    share = 100 * float(mask.mean())
    picture = shown_colours(image)
    tint(picture, mask, NAMED[colour], opacity / 100)
    outline(picture, mask, NAMED[colour])
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    there = mask.any()
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if there else (0, 0, image.width, image.height)
    return Evidence(
        text=f"Image {image.number} with the bright parts of image {mask_image.number} in {colour}: {share:.1f} %.",
        images=(shown_as(image, picture),),
        regions=regions_of(image, (float(box[0]), float(box[1]), float(box[2]), float(box[3]))),
        measurements=(Measurement(name="share", value=share, unit="%"),),
    )
