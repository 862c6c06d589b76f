"""annotate: arrows, circles and crosses with words at points, so that a policy can point at what it means.

Boxes are mark_regions' part; this is for places: a tip, a fracture line, a landmark. The mark is drawn beside the
point or around it, never on it, so that what is meant stays visible.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, regions_of
from tools.geometry import Point, point_to_pixels
from tools.images.drawing import COLOURS, Colour, Picture, line_width, shown_as, write
from tools.images.image import MedicalImage
from tools.images.pixels import shown_colours
from tools.medical_tool import medical_tool

Label = Annotated[str, Field(max_length=40)]
Mark = Literal["arrow", "circle", "cross"]

PLURALS: dict[Mark, str] = {"arrow": "arrows", "circle": "circles", "cross": "crosses"}

SIZE = 0.06
"""Length of an arrow, and radius of a circle or cross, as a share of the image's shorter side."""

FREE = 0.2
"""Share of that size around the point that an arrow or a cross leaves free."""


@medical_tool(family="draw", version="1")
def annotate(
    image: MedicalImage,
    points: Annotated[list[Point], Field(min_length=1, max_length=20)],
    labels: Annotated[list[Label], Field(max_length=20)],
    mark: Mark = "arrow",
) -> Evidence:
    """Draw an arrow, circle or cross with a label at each point of an image."""
    if len(points) != len(labels):
        raise ToolRetry(
            f"annotate: got {len(points)} points and {len(labels)} labels; expected one label for each point."
        )
    picture = shown_colours(image)
    size = max(4.0, SIZE * min(image.size))
    places = [point_to_pixels(point, image.width, image.height) for point in points]
    words: list[tuple[str, tuple[float, float], Colour]] = []
    for number, (place, label) in enumerate(zip(places, labels, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        tail = _draw(picture, place, mark, size, colour)
        if label.strip():
            words.append((label, tail, colour))
    for label, tail, colour in words:
        picture = write(picture, [(label, tail)], colour)
    return Evidence(
        text=f"Image {image.number} with {len(points)} {mark if len(points) == 1 else PLURALS[mark]} drawn.",
        images=(shown_as(image, picture),),
        regions=tuple(
            region
            for (x, y), label in zip(places, labels, strict=True)
            for region in regions_of(image, (x, y, x, y), label)
        ),
    )


def _draw(picture: Picture, place: tuple[float, float], mark: Mark, size: float, colour: Colour) -> tuple[float, float]:
    """Draws one mark; (x, y) of where its label begins."""
    import cv2

    x, y = place
    width = line_width(picture)
    if mark == "circle":
        cv2.circle(picture, _whole(x, y), round(size), colour, width)
        return x + size, y
    if mark == "cross":
        for angle in range(45, 405, 90):
            across, down = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            near = _whole(x + across * size * FREE, y + down * size * FREE)
            cv2.line(picture, near, _whole(x + across * size, y + down * size), colour, width)
        return x + size, y
    # from the side of the image that has more room
    side = -1 if x > picture.shape[1] / 2 else 1
    up = 1 if y < picture.shape[0] / 2 else -1
    tip = _whole(x + side * size * FREE, y + up * size * FREE)
    tail = x + side * size * (1 + FREE), y + up * size * (1 + FREE)
    cv2.arrowedLine(picture, _whole(*tail), tip, colour, width, tipLength=0.35)
    return tail


def _whole(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)
