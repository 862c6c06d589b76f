"""How tools draw what they found: outlines, tints, numbers.

A picture of the image's own size keeps its coordinates, so the policy can go on from what it sees in it.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tools.images.image import MedicalImage
from tools.images.pixels import Mask, WholeBox

Colour = tuple[int, int, int]
Picture = NDArray[np.uint8]
"""(height, width, 3)."""

COLOURS: tuple[Colour, ...] = (
    (255, 200, 0),
    (0, 200, 255),
    (255, 80, 200),
    (120, 255, 80),
    (255, 120, 60),
    (170, 140, 255),
)
"""Those of mark_regions: bright, and told apart on grey and on stained tissue."""


def line_width(picture: Picture) -> int:
    """Of outlines that can be seen and do not cover what they enclose."""
    return max(1, round(min(picture.shape[:2]) / 300))


def outline(picture: Picture, mask: Mask, colour: Colour) -> None:
    """Draws the border of `mask`, just inside it."""
    import cv2

    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    drawn = picture.copy()
    cv2.drawContours(drawn, contours, -1, colour, line_width(picture))
    picture[mask] = drawn[mask]  # a line of two pixels lies on both sides of a border


def outline_labels(picture: Picture, labels: NDArray[Any]) -> None:
    """Draws the borders of all objects of a label image, touching ones too, each in one of the colours."""
    from scipy import ndimage

    filters = cast("Any", ndimage)
    largest = np.asarray(filters.maximum_filter(labels, 3))
    background = labels == 0
    smallest = np.asarray(filters.minimum_filter(np.where(background, 0, labels), 3))
    border = ~background & ((largest != labels) | (smallest != labels))
    palette = np.asarray(COLOURS, np.uint8)
    picture[border] = palette[labels[border] % len(COLOURS)]


def tint(picture: Picture, mask: Mask, colour: Colour, opacity: float) -> None:
    """Mixes `colour` into the picture where `mask` is."""
    mixed = picture[mask] * (1 - opacity) + np.asarray(colour, np.float64) * opacity
    picture[mask] = np.rint(mixed).astype(np.uint8)


def rectangle(picture: Picture, box: WholeBox, colour: Colour) -> None:
    """Draws the outline of `box`, inside it."""
    width = line_width(picture)
    left, top, right, bottom = box
    picture[top : top + width, left:right] = colour
    picture[max(top, bottom - width) : bottom, left:right] = colour
    picture[top:bottom, left : left + width] = colour
    picture[top:bottom, max(left, right - width) : right] = colour


def lines(picture: Picture, points: Sequence[tuple[float, float]], colour: Colour, closed: bool = False) -> None:
    """Draws the lines from point to point, (x, y) in pixels."""
    import cv2

    corners = np.rint(np.asarray(points, np.float64)).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(picture, [corners], closed, colour, line_width(picture))


def write(picture: Picture, words: Sequence[tuple[str, tuple[float, float]]], colour: Colour = COLOURS[0]) -> Picture:
    """A copy with each text written at its (x, y), moved to lie inside, on black so that it can be read."""
    canvas_picture = Image.fromarray(picture)
    canvas = ImageDraw.Draw(canvas_picture)
    font = ImageFont.load_default(size=max(9, min(picture.shape[:2]) / 40))
    for text, (x, y) in words:
        x1, y1, x2, y2 = canvas.textbbox((0, 0), text, font=font)
        left = min(max(0.0, x), max(0.0, canvas_picture.width - x2))
        top = min(max(0.0, y), max(0.0, canvas_picture.height - y2))
        canvas.rectangle((left + x1 - 1, top + y1 - 1, left + x2, top + y2), fill=(0, 0, 0))
        canvas.text((left, top), text, font=font, fill=colour)
    return np.array(canvas_picture)


def shown_as(image: MedicalImage, picture: Picture) -> MedicalImage:
    """`picture`, drawn on the display of `image` and of its size, as an image."""
    return image.derived(picture, window=image.display_window)
