"""symmetry_index: how alike the two sides of an image are, and where they differ most.

The right half is mirrored onto the left. Two numbers: the correlation of the two (1: mirror images; blind to an overall
difference in brightness), and the asymmetry of means, 2 * (left - right) / (left + right), the index of nuclear
medicine. Fine grain is blurred first, because no body is symmetric to the pixel.
"""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import SCALE, Coordinate
from tools.images.drawing import COLOURS, lines, rectangle, shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import Floats, box_words, large_enough, shown_colours, shown_greys, with_contrast
from tools.medical_tool import medical_tool

PARTS = 8
"""The place of the greatest difference is found on a grid of so many parts a side of the half."""


@medical_tool(family="measure", version="1")
def symmetry_index(image: MedicalImage, midline: Coordinate | None = None) -> Evidence:
    """Measure how alike the left and right side of an image are, and show where they differ most.

    The midline is the x of the line of symmetry, 0-999; without it, the middle of the image.
    """
    from scipy import ndimage

    large_enough(image, 2 * PARTS, "symmetry_index")
    middle = image.width / 2 if midline is None else midline / SCALE * image.width
    half = int(min(middle, image.width - middle) + 1e-6)
    if half < PARTS:
        raise ToolRetry(
            f"symmetry_index: got midline {midline}, so near the edge that {half} pixels can be compared; "
            "expected one nearer to the middle, 500."
        )
    with_contrast(shown_greys(image), image, "symmetry_index")
    first = round(middle - half)
    second = min(round(middle), image.width - half)
    shown = shown_greys(image)
    blurred = cast("Floats", np.asarray(cast("Any", ndimage).gaussian_filter(shown, max(image.size) / 100)))
    left = blurred[:, first : first + half]
    right = blurred[:, second : second + half][:, ::-1]
    likeness = _correlation(left, right)
    if likeness is None:
        raise ToolFailed(f"symmetry_index: one side of image {image.number} is without contrast.")
    total = float(left.mean() + right.mean())
    balance = 2 * float(left.mean() - right.mean()) / total if total else 0.0
    row, column = _most_different(np.abs(left - right))
    top, bottom = row * image.height // PARTS, (row + 1) * image.height // PARTS
    near, far = column * half // PARTS, (column + 1) * half // PARTS
    here = (first + near, top, first + far, bottom)
    there = (second + half - far, top, second + half - near, bottom)
    picture = shown_colours(image)
    lines(picture, [(middle, 0), (middle, image.height - 1)], COLOURS[1])
    rectangle(picture, here, COLOURS[0])
    rectangle(picture, there, COLOURS[0])
    return Evidence(
        text=f"Symmetry of image {image.number}: correlation {likeness:.3f} (1: mirror images), left brighter by "
        f"{100 * balance:.1f} %. Greatest difference: {box_words(image, here)} against {box_words(image, there)}.",
        images=(shown_as(image, picture),),
        regions=(*regions_of(image, here, "left"), *regions_of(image, there, "right")),
        measurements=(
            Measurement(name="symmetry", value=likeness, unit="correlation"),
            Measurement(name="asymmetry of means", value=balance, unit="1"),
        ),
    )


def _correlation(left: Floats, right: Floats) -> float | None:
    a, b = left.astype(np.float64) - left.mean(), right.astype(np.float64) - right.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 1e-9 else None


def _most_different(difference: NDArray[Any]) -> tuple[int, int]:
    """(row, column) of the part of the grid whose mean difference is greatest."""
    rows = np.array_split(difference, PARTS, axis=0)
    means = [[float(each.mean()) for each in np.array_split(row, PARTS, axis=1)] for row in rows]
    place = int(np.argmax(means))
    return place // PARTS, place % PARTS
