"""mark_regions: boxes with labels, drawn on a copy, so that a policy can show what it means and look at it again."""

from typing import Annotated

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, regions_of
from tools.geometry import Box, PixelBox, box_to_pixels
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool

COLOURS = ((255, 200, 0), (0, 200, 255), (255, 80, 200), (120, 255, 80), (255, 120, 60), (170, 140, 255))
"""Bright, and told apart on grey and on stained tissue; box n has colour n, then again from the first."""

Label = Annotated[str, Field(max_length=40)]


@medical_tool(family="draw", version="1")
def mark_regions(
    image: MedicalImage,
    boxes: Annotated[list[Box], Field(min_length=1, max_length=20)],
    labels: Annotated[list[Label], Field(max_length=20)],
) -> Evidence:
    """Draw boxes with labels on an image."""
    if len(boxes) != len(labels):
        raise ToolRetry(
            f"mark_regions: got {len(boxes)} boxes and {len(labels)} labels; expected one label for each box."
        )
    pixel_boxes = [box_to_pixels(box, image.width, image.height) for box in boxes]
    for box, (left, top, right, bottom) in zip(boxes, pixel_boxes, strict=True):
        if left == right or top == bottom:
            raise ToolRetry(
                f"mark_regions: got box {box}, which has no area; expected [x1, y1, x2, y2] with x1 < x2, y1 < y2."
            )
    picture = image.display().convert("RGB")
    for number, (box, label) in enumerate(zip(pixel_boxes, labels, strict=True)):
        _draw(picture, box, label, COLOURS[number % len(COLOURS)])
    return Evidence(
        text=f"Image {image.number} with {len(boxes)} box{'es' if len(boxes) > 1 else ''} drawn.",
        images=(image.derived(np.asarray(picture), window=image.display_window),),
        regions=tuple(
            region for box, label in zip(pixel_boxes, labels, strict=True) for region in regions_of(image, box, label)
        ),
    )


def _draw(picture: Image.Image, box: PixelBox, label: str, colour: tuple[int, int, int]) -> None:
    """The outline lies inside the box; the label above its left corner, or below the corner at the image's top."""
    canvas = ImageDraw.Draw(picture)
    shorter = min(picture.size)
    left, top = int(box[0]), int(box[1])
    right, bottom = max(left, round(box[2]) - 1), max(top, round(box[3]) - 1)
    canvas.rectangle((left, top, right, bottom), outline=colour, width=max(1, round(shorter / 200)))
    if not label:
        return
    font = ImageFont.load_default(size=max(10, shorter / 32))
    x1, y1, x2, y2 = canvas.textbbox((0, 0), label, font=font)
    place = min(left, max(0, picture.width - int(x2))), (top - int(y2) - 2 if top - int(y2) - 2 >= 0 else top + 2)
    canvas.rectangle((place[0] + x1, place[1] + y1, place[0] + x2, place[1] + y2), fill=(0, 0, 0))
    canvas.text(place, label, font=font, fill=colour)
