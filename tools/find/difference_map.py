"""difference_map: what changed between two images of one view, red where the second is brighter, blue where darker.

Both are brought to one brightness first (mean and spread), so that another exposure is no change; where asked, the
second is shifted onto the first by phase correlation (Kuglin and Hines 1975, with scikit-image's subpixel refinement of
Guizar-Sicairos 2008). Only a shift: a turned or breathing patient still shows as change, and the text says what was
done.
"""

from typing import Any, cast

import numpy as np

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.images.drawing import shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import Floats, box_words, greys, large_enough, resized, shown_greys, shrunk, with_contrast
from tools.medical_tool import medical_tool

FULL_COLOUR = 3.0
"""Difference, in standard deviations of the first image, that is shown in full colour."""

MOST_UNLIKE_SHAPES = 1.2
"""Ratio of the two images' aspects up to which they can be of the same view."""

PARTS = 8


@medical_tool(family="find", version="1")
def difference_map(image: MedicalImage, other_image: MedicalImage, align: bool = True) -> Evidence:
    """Show what changed from an image to another one of the same view: red is brighter there, blue darker.

    The other image is shifted onto the first unless align is false.
    """
    for each in (image, other_image):
        large_enough(each, 2 * PARTS, "difference_map")
        with_contrast(greys(each), each, "difference_map")
    shape = (image.width / image.height) / (other_image.width / other_image.height)
    if not 1 / MOST_UNLIKE_SHAPES <= shape <= MOST_UNLIKE_SHAPES:
        raise ToolRetry(
            f"difference_map: got images of {image.width} x {image.height} and {other_image.width} x "
            f"{other_image.height} pixels; expected two of the same view."
        )
    first = _standardised(shown_greys(image))
    second = _standardised(resized(shown_greys(other_image), image.width, image.height))
    moved = (0.0, 0.0)
    if align:
        moved = shift_between(first, second)
        second = _shifted(second, moved)
    change = second - first
    row, column = _most_changed(np.abs(change))
    box = (
        column * image.width // PARTS,
        row * image.height // PARTS,
        (column + 1) * image.width // PARTS,
        (row + 1) * image.height // PARTS,
    )
    likeness = float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    return Evidence(
        text=f"From image {image.number} to {other_image.number}: red brighter, blue darker. "
        + (f"Image {other_image.number} was shifted by {moved[1]:.1f}, {moved[0]:.1f} pixels. " if align else "")
        + f"Correlation {likeness:.3f}; most changed {box_words(image, box)}.",
        images=(shown_as(image, _coloured(shown_greys(image), change)),),
        regions=regions_of(image, box, "most changed"),
        measurements=(Measurement(name="correlation", value=likeness, unit="1"),),
    )


def shift_between(first: Floats, second: Floats) -> tuple[float, float]:
    """(down, across) in pixels by which `second` is to be moved to lie on `first`."""
    import skimage.registration

    small = [cast("Floats", shrunk(each, 512)) for each in (first, second)]
    found = cast("Any", skimage.registration).phase_cross_correlation(*small, upsample_factor=10)[0]
    scale = first.shape[0] / small[0].shape[0], first.shape[1] / small[0].shape[1]
    return float(found[0]) * scale[0], float(found[1]) * scale[1]


def _standardised(values: Floats) -> Floats:
    spread = float(values.std())
    return (values - values.mean()) / np.float32(spread or 1.0)


def _shifted(values: Floats, moved: tuple[float, float]) -> Floats:
    from scipy import ndimage

    return np.asarray(cast("Any", ndimage).shift(values, moved, order=1, mode="nearest"), np.float32)


def _most_changed(change: Floats) -> tuple[int, int]:
    """(row, column) of the part of a grid that changed most in the mean."""
    rows = np.array_split(change, PARTS, axis=0)
    means = [[float(each.mean()) for each in np.array_split(row, PARTS, axis=1)] for row in rows]
    place = int(np.argmax(means))
    return place // PARTS, place % PARTS


def _coloured(grey: Floats, change: Floats) -> Any:
    """The first image, faint, with red and blue on it."""
    amount = np.clip(np.abs(change) / FULL_COLOUR, 0, 1)[:, :, None]
    red, blue = np.array([255, 40, 40], np.float32), np.array([40, 80, 255], np.float32)
    colour = np.where((change > 0)[:, :, None], red, blue)
    return np.rint(grey[:, :, None] * 160 * (1 - amount) + colour * amount).astype(np.uint8)
