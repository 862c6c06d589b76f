"""locate_objects: the objects of a colour, a size and a shape, each with its box: white cells in a smear, for instance.

Where count_objects parts many objects of one kind, this one looks for the few that stand out by colour. A pixel's
strength is its saturation as far as its hue is near the wanted one (or its brightness, or darkness). What reaches half
of the strongest is an object's core; lobes nearer than a fifth of the least size are one core; paler parts of the
same colour around it, up to half its size away, belong to it (a white cell's cytoplasm). The numbers were chosen
among some twenty variants on the blood smears in `shared/data`, both halves in view (`benchmarks/find_accuracy.py`).
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import SCALE
from tools.images.drawing import COLOURS, outline, rectangle, shown_as, write
from tools.images.image import MedicalImage
from tools.images.pixels import (
    Floats,
    Mask,
    WholeBox,
    box_words,
    greys,
    large_enough,
    resized_mask,
    shown_colours,
    shown_greys,
    shrunk,
    with_contrast,
)
from tools.images.ruler import ruler_in
from tools.medical_tool import medical_tool

Colour = Literal["red", "orange", "yellow", "green", "blue", "purple", "pink", "bright", "dark"]
Shape = Literal["any", "round", "long"]
Size = Annotated[int, Field(ge=1, le=SCALE)]

HUES: dict[Colour, float] = {
    "red": 0,
    "orange": 30,
    "yellow": 60,
    "green": 120,
    "blue": 220,
    "purple": 265,
    "pink": 320,
}
"""Degrees on the colour circle; a hue counts fully within 30 degrees and not at all from 90."""

CORE, SURROUND = 0.5, 0.15
"""Strength of an object's core and of its paler parts, between the image's usual strength (0) and its strongest (1)."""

FAINTEST = 0.06
"""Strongest above usual, of 1, below which there is nothing of that colour."""

LOBES, REACH = 0.2, 0.5
"""How far apart lobes of one core can be, in least sizes; how far its surround reaches, in its own size."""

WORKING_SIZE, MOST_SIDE = 28, 1024
"""Pixels of the least size, and of the longer side at most, on the copy that is searched."""

ROUND, LONG = 0.65, 0.5
"""Shorter axis over longer: at least this is round, at most this is long."""

MOST_TOLD, MOST_FOUND = 20, 200


@dataclass(frozen=True)
class _Object:
    mask: Mask
    box: WholeBox
    """In pixels of the searched copy."""


@medical_tool(family="find", version="2")
def locate_objects(
    image: MedicalImage, colour: Colour, smallest: Size = 20, largest: Size = SCALE, shape: Shape = "any"
) -> Evidence:
    """Locate the objects of a colour, of sizes from smallest to largest, and give the box of each.

    Sizes are diameters, 0-999 of the image's longer side. White blood cells in a smear: purple, smallest 90.
    """
    if smallest > largest:
        raise ToolRetry(f"locate_objects: got smallest {smallest} and largest {largest}; expected it the other way.")
    if colour in HUES and image.pixels.ndim == 2:
        raise ToolRetry(
            f"locate_objects: image {image.number} is grey, so nothing in it is {colour}; ask for bright or dark."
        )
    large_enough(image, 8, "locate_objects")
    with_contrast(greys(image), image, "locate_objects")
    longer = max(image.size)
    side = min(longer, MOST_SIDE, max(64, round(WORKING_SIZE * SCALE / smallest)))
    strength = cast("Floats", shrunk(_strength(image, colour), side))
    least, most = smallest / SCALE * max(strength.shape), largest / SCALE * max(strength.shape)
    found = [each for each in _objects(strength, least, most) if _has_shape(each.mask, shape)][:MOST_FOUND]
    picture = shown_colours(image)
    boxes: list[WholeBox] = []
    areas: list[tuple[str, float, str] | None] = []
    names: list[tuple[str, tuple[float, float]]] = []
    across, down = image.width / strength.shape[1], image.height / strength.shape[0]
    for number, each in enumerate(found, 1):
        x1, y1, x2, y2 = each.box
        box = (round(x1 * across), round(y1 * down), round(x2 * across), round(y2 * down))
        outline(picture, resized_mask(each.mask, image.width, image.height), COLOURS[1])
        rectangle(picture, box, COLOURS[0])
        boxes.append(box)
        scale = ruler_in(image, box)
        areas.append(scale and scale.area(float(each.mask.sum()) * across * down))
        names.append((str(number), (box[0] + 3.0, box[1] + 2.0)))
    told = "; ".join(
        f"{number} {box_words(image, box)}" + (f" {area[0]}" if area else "")
        for number, (box, area) in enumerate(zip(boxes[:MOST_TOLD], areas, strict=False), 1)
    )
    kind = f"{colour}{'' if shape == 'any' else f', {shape}'}"
    more = f"; the {MOST_TOLD} largest are told" if len(boxes) > MOST_TOLD else ""
    return Evidence(
        text=f"{len(boxes)} object{'' if len(boxes) == 1 else 's'} ({kind}) in image {image.number}"
        + (f", largest first: {told}{more}." if boxes else "."),
        images=(shown_as(image, write(picture, names)),),
        regions=tuple(region for number, box in enumerate(boxes, 1) for region in regions_of(image, box, str(number))),
        measurements=(
            Measurement(name="count", value=len(boxes), unit="objects"),
            *(Measurement(name=f"area {n}", value=area[1], unit=area[2]) for n, area in enumerate(areas, 1) if area),
        ),
    )


def _strength(image: MedicalImage, colour: Colour) -> Floats:
    """(height, width), 0 to 1: how much of the colour each pixel has."""
    import cv2

    if colour not in HUES:
        grey = shown_greys(image)
        return grey if colour == "bright" else 1 - grey
    hsv = np.asarray(cv2.cvtColor(shown_colours(image).astype(np.float32) / 255, cv2.COLOR_RGB2HSV))
    apart = np.abs((hsv[:, :, 0] - HUES[colour] + 180) % 360 - 180)
    return np.asarray(hsv[:, :, 1] * np.clip(1.5 - apart / 60, 0, 1), np.float32)


def _objects(strength: Floats, least: float, most: float) -> list[_Object]:
    """The objects with cores of diameters from `least` to `most` pixels, the largest first."""
    import cv2
    from scipy import ndimage

    smooth = np.asarray(cv2.GaussianBlur(strength, (0, 0), max(0.5, 0.05 * least)))
    usual = float(np.median(smooth))
    object_share = math.pi / 4 * least**2 / smooth.size
    strongest = float(np.quantile(smooth, max(0.0, 1 - object_share / 2)))
    if strongest - usual < FAINTEST:
        return []
    core = (smooth > usual + CORE * (strongest - usual)).astype(np.uint8)
    core = cv2.morphologyEx(core, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    # a border, so that closing does not join an object to the image's edge
    gap = round(LOBES * least)
    core = np.pad(np.asarray(core), gap + 1)
    core = np.asarray(cv2.morphologyEx(core, cv2.MORPH_CLOSE, _disk(gap)))[gap + 1 : -gap - 1, gap + 1 : -gap - 1]
    library = cast("Any", ndimage)
    labels = np.asarray(library.label(library.binary_fill_holes(core))[0])
    weak = smooth > usual + SURROUND * (strongest - usual)
    diameters = 2 * np.sqrt(np.bincount(labels.ravel()) / math.pi)
    numbers = [number for number in range(1, diameters.size) if least <= diameters[number] <= most]
    numbers.sort(key=lambda number: -diameters[number])
    return [_whole(labels == number, weak, float(diameters[number])) for number in numbers]


def _whole(core: Mask, weak: Mask, diameter: float) -> _Object:
    """A core with its paler surround, in which threads to neighbours are cut."""
    import cv2

    near = np.asarray(cv2.dilate(core.astype(np.uint8), _disk(int(REACH * diameter / 2)))) > 0
    opened = cv2.morphologyEx((core | (weak & near)).astype(np.uint8), cv2.MORPH_OPEN, _disk(round(diameter / 12)))
    mask = np.asarray(opened).astype(np.bool_) | core
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return _Object(mask, (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))


def _has_shape(mask: Mask, shape: Shape) -> bool:
    """Judged by the axes of the ellipse with the same second moments."""
    import skimage.measure

    if shape == "any":
        return True
    (region,) = cast("Any", skimage.measure).regionprops(mask.astype(np.uint8))
    ratio = float(region.axis_minor_length) / (float(region.axis_major_length) or 1.0)
    return ratio >= ROUND if shape == "round" else ratio <= LONG


def _disk(radius: int) -> Any:
    import cv2

    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
