"""find_lungs: the two lungs of a frontal chest x-ray as boxes.

Lungs are the large dark parts inside the chest, but no one threshold shows them: of the dark parts at many thresholds,
after the contrast was evened out (CLAHE), those are taken whose boxes are most like where lungs usually lie. What was
found is then drawn a third of the way back to the usual place, because disease, the heart and the bowel cut or extend
the dark; where nothing fits, the usual place is told, and that it was not seen. The usual places and their spreads are
fitted on the even chest x-rays in `shared/data`; contrast and blend were chosen with both halves in view
(`benchmarks/find_accuracy.py`). Boxes are loose, as those labels are: they show where to look and measure nothing.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tools.evidence import Evidence, regions_of
from tools.images.drawing import COLOURS, rectangle, shown_as, write
from tools.images.image import MedicalImage
from tools.images.pixels import box_words, greys, large_enough, resized, shown_colours, shown_greys, with_contrast
from tools.medical_tool import medical_tool

SIDE = 256
"""The x-ray is looked at in a square of this size: the boxes are shares of its width and height."""

LIMIT, TILES, BLUR = 6.0, (4, 4), 3.0
"""Of the CLAHE, and the pixels of the Gaussian after it, which closes the ribs."""

DARKEST_SHARES = tuple(share / 100 for share in range(20, 66, 5))
"""A threshold each: the darkest 20 % of the picture, 25 %, ... are dark."""

LEAST_PART, LARGEST_PART = 0.03, 0.35
"""Of the picture, that one lung can be."""

TOWARDS_FOUND = 0.7
"""How far from the usual place towards what was found; 0.5 was worse on both halves, 1 on one of them."""

FARTHEST = 2.0
"""Mean distance of the four edges from their usual places, in spreads, up to which a dark part is a lung."""

Edges = NDArray[np.float64]
"""x1, y1, x2, y2 as shares of width and height."""


@dataclass(frozen=True)
class Usual:
    """Where a lung usually lies in a frontal chest x-ray."""

    label: str
    place: tuple[float, float, float, float]
    spread: tuple[float, float, float, float]
    looser: tuple[float, float, float, float]
    """What a reader's box adds to each edge of the dark part."""


USUAL = (
    Usual(
        "right lung",
        place=(0.046, 0.083, 0.489, 0.767),
        spread=(0.055, 0.050, 0.064, 0.108),
        looser=(-0.035, -0.031, 0.041, 0.004),
    ),
    Usual(
        "left lung",
        place=(0.514, 0.075, 0.942, 0.808),
        spread=(0.067, 0.057, 0.062, 0.099),
        looser=(-0.041, -0.029, 0.035, 0.029),
    ),
)


@medical_tool(family="find", version="1")
def find_lungs(image: MedicalImage) -> Evidence:
    """Find the two lungs of a frontal chest x-ray as boxes.

    The patient's right lung is on the left of the image, as such x-rays are shown.
    """
    large_enough(image, 32, "find_lungs")
    with_contrast(greys(image), image, "find_lungs")
    parts = _dark_parts(np.rint(resized(shown_greys(image), SIDE, SIDE) * 255).astype(np.uint8))
    picture = shown_colours(image)
    told: list[str] = []
    names: list[tuple[str, tuple[float, float]]] = []
    boxes: list[tuple[int, int, int, int]] = []
    for usual, colour in zip(USUAL, COLOURS, strict=False):
        edges, seen = _lung(parts, usual)
        x1, y1, x2, y2 = edges * (image.width, image.height, image.width, image.height)
        box = (round(x1), round(y1), round(x2), round(y2))
        rectangle(picture, box, colour)
        boxes.append(box)
        names.append((usual.label, (box[0] + 4.0, box[1] + 3.0)))
        told.append(f"{usual.label} {box_words(image, box)}" + ("" if seen else " (not seen: its usual place)"))
    return Evidence(
        text=f"In image {image.number}, taken as a frontal chest x-ray: {', '.join(told)}.",
        images=(shown_as(image, write(picture, names)),),
        regions=tuple(
            region for box, usual in zip(boxes, USUAL, strict=True) for region in regions_of(image, box, usual.label)
        ),
    )


def _dark_parts(picture: NDArray[np.uint8]) -> list[Edges]:
    """The boxes of connected dark parts of a lung's size, at each of the thresholds."""
    import cv2
    from scipy import ndimage

    even = cv2.GaussianBlur(cv2.createCLAHE(LIMIT, TILES).apply(picture), (0, 0), BLUR)
    found: list[Edges] = []
    for share in DARKEST_SHARES:
        dark = np.asarray(even) < np.quantile(even, share)
        labels, _ = cast("Any", ndimage).label(dark)
        areas = np.bincount(np.asarray(labels).ravel()) / picture.size
        parts = cast("list[tuple[slice, slice] | None]", cast("Any", ndimage).find_objects(labels))
        for number, part in enumerate(parts, 1):
            if part and LEAST_PART <= areas[number] <= LARGEST_PART:
                rows, columns = part
                found.append(np.array([columns.start, rows.start, columns.stop, rows.stop], np.float64) / SIDE)
    return found


def _lung(parts: list[Edges], usual: Usual) -> tuple[Edges, bool]:
    """The lung's box, and whether a dark part was seen where it can be."""
    place, spread = np.array(usual.place), np.array(usual.spread)
    distances = [float(np.mean(np.abs(part - place) / spread)) for part in parts]
    if not distances or min(distances) > FARTHEST:
        return place, False
    seen = parts[int(np.argmin(distances))] + np.array(usual.looser)
    return np.clip(place + TOWARDS_FOUND * (seen - place), 0, 1), True
