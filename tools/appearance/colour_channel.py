"""colour_channel: one component of a colour image as greys.

Haemoglobin is dark in green (which is why eye doctors read the retina "red-free"), nuclei stand out in red, what is
stained at all in saturation.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tools.errors import ToolFailed
from tools.evidence import Evidence
from tools.images.drawing import shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import shown_colours
from tools.medical_tool import medical_tool

Channel = Literal["red", "green", "blue", "hue", "saturation", "value", "lightness"]
RGB: tuple[Channel, ...] = ("red", "green", "blue")
HSV: tuple[Channel, ...] = ("hue", "saturation", "value")


@medical_tool(family="appearance", version="1")
def colour_channel(image: MedicalImage, channel: Channel) -> Evidence:
    """Show one channel of a colour image as greys."""
    if image.pixels.ndim == 2:
        raise ToolFailed(f"colour_channel: image {image.number} is grey: it has no colour channels.")
    picture = np.rint(_plane(shown_colours(image), channel)).astype(np.uint8)
    return Evidence(
        text=f"The {channel} of image {image.number}: mean {picture.mean():.1f} of 255.",
        images=(shown_as(image, picture),),
    )


def _plane(colours: NDArray[np.uint8], channel: Channel) -> NDArray[Any]:
    """(height, width), 0 to 255."""
    import cv2

    if channel in RGB:
        return colours[:, :, RGB.index(channel)]
    shares = colours.astype(np.float32) / 255
    if channel in HSV:
        plane = np.asarray(cv2.cvtColor(shares, cv2.COLOR_RGB2HSV))[:, :, HSV.index(channel)]
        return plane * (255 / 360 if channel == "hue" else 255)
    return np.asarray(cv2.cvtColor(shares, cv2.COLOR_RGB2LAB))[:, :, 0] * 2.55
