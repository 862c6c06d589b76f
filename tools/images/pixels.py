"""What the tools compute on: an image's values as one grey plane, a box in whole pixels, and the words for both.

A measurement says its unit only where the image is known to have one (`unit_of`); else it speaks of grey values and
pixels. An image without contrast is refused here, once, because every method of finding something divides by it.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import ToolFailed, ToolRetry
from tools.geometry import Box, PixelBox, box_from_pixels, box_to_pixels
from tools.images.image import MedicalImage

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
WholeBox = tuple[int, int, int, int]

GREY_VALUES = "grey values"

MOST_VALUE = 1e15
"""Larger floats are no measurements, and their squares overflow."""

_ROUNDING = 1e-6
"""Pixels that are an error of arithmetic, not a part of a box: 500 / 999 * 999 is a little more than 500."""

_LUMA = (0.299, 0.587, 0.114)
"""Red, green and blue of a grey (ITU-R BT.601), as Pillow's mode L."""


def whole_box(image: MedicalImage, box: Box | None, tool: str) -> WholeBox:
    """All whole pixels that `box` touches (None: the image), x1, y1, x2, y2. ToolRetry where it has no area."""
    if box is None:
        return 0, 0, image.width, image.height
    left, top, right, bottom = box_to_pixels(box, image.width, image.height)
    if left == right or top == bottom:
        raise ToolRetry(f"{tool}: got box {box}, which has no area; expected [x1, y1, x2, y2] with x1 < x2, y1 < y2.")
    return covered((left, top, right, bottom))


def covered(box: PixelBox) -> WholeBox:
    """All whole pixels that `box` touches."""
    return _down(box[0]), _down(box[1]), _up(box[2]), _up(box[3])


def _down(value: float) -> int:
    return math.floor(value + _ROUNDING)


def _up(value: float) -> int:
    return math.ceil(value - _ROUNDING)


def greys(image: MedicalImage) -> Floats:
    """(height, width): the values as measured, of a colour image the luma; what is no number is its least value."""
    values = image.pixels.astype(np.float32)
    if values.ndim == 3:
        values = values @ np.asarray(_LUMA, np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        values = np.where(finite, values, values[finite].min() if finite.any() else np.float32(0))
    return np.ascontiguousarray(np.clip(values, -MOST_VALUE, MOST_VALUE), np.float32)


def shown_greys(image: MedicalImage) -> Floats:
    """(height, width), 0 to 1: the image as it is displayed."""
    return np.asarray(image.display().convert("L"), np.float32) / np.float32(255)


def shown_colours(image: MedicalImage) -> NDArray[np.uint8]:
    """(height, width, 3), 8-bit: the image as it is displayed; a fresh array to draw on."""
    return np.array(image.display().convert("RGB"))


def with_contrast(values: Floats, image: MedicalImage, tool: str, box: Box | None = None) -> Floats:
    """`values` themselves. ToolRetry where all are alike and another box could differ, else ToolFailed."""
    if values.min() < values.max():
        return values
    flat = f"is {values.flat[0]:g} everywhere"
    if box is not None:
        raise ToolRetry(f"{tool}: got box {box} of image {image.number}, which {flat}; choose one with some contrast.")
    raise ToolFailed(f"{tool}: image {image.number} {flat}, so there is nothing to find in it.")


def large_enough(image: MedicalImage, least: int, tool: str) -> None:
    """ToolFailed for an image with a side of fewer than `least` pixels."""
    if min(image.size) < least:
        raise ToolFailed(
            f"{tool}: image {image.number} is {image.width} x {image.height} pixels, expected at least {least} a side; "
            "use a larger image."
        )


def unit_of(image: MedicalImage) -> str:
    """HU and the like where the image is calibrated, else "grey values"."""
    return image.facts.unit if image.facts.unit and image.pixels.ndim == 2 else GREY_VALUES


def box_words(image: MedicalImage, box: WholeBox) -> str:
    """The box as a policy writes it, 0-999 of this image."""
    return str(box_from_pixels((float(box[0]), float(box[1]), float(box[2]), float(box[3])), image.width, image.height))


def shrunk(values: NDArray[Any], most_side: int) -> NDArray[Any]:
    """`values` with its longer side at most `most_side`, each new pixel the mean of those it covers."""
    longer = max(values.shape[:2])
    if longer <= most_side:
        return values
    return resized(
        values, max(1, round(values.shape[1] * most_side / longer)), max(1, round(values.shape[0] * most_side / longer))
    )


def resized(values: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """`values` (any type of MedicalImage) at another size: means when it shrinks, cubic when it grows, no overshoot."""
    import cv2

    if (height, width) == values.shape[:2]:
        return values
    smaller = width * height < values.shape[0] * values.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    made = np.asarray(cv2.resize(values.astype(np.float32), (width, height), interpolation=way))
    made = np.clip(made, np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None))
    return made.astype(values.dtype) if values.dtype.kind == "f" else np.rint(made).astype(values.dtype)


def resized_mask(mask: Mask, width: int, height: int) -> Mask:
    """`mask` at another size, each pixel that of the nearest."""
    return enlarged_labels(mask.astype(np.int32), width, height).astype(np.bool_)


def at_most(image: MedicalImage, most_side: int) -> MedicalImage:
    """The image, or a smaller copy to compute on whose longer side is `most_side`; its display window is kept."""
    if max(image.size) <= most_side:
        return image
    return MedicalImage(shrunk(image.pixels, most_side), window=image.display_window).numbered(image.number)


def enlarged_labels(labels: NDArray[np.int32], width: int, height: int) -> NDArray[np.int32]:
    """A label image at another size, each pixel that of the nearest; at most 2 ** 24 labels."""
    import cv2

    if labels.shape == (height, width):
        return labels
    made = cv2.resize(labels.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(made).astype(np.int32)
