"""Whether the stain itself bears out the platelets that annotators boxed.

Some smears hold platelets that nobody boxed. Platelets and white cells are the only things in a smear that are bluer
than red cells and plasma, so spots of that colour are found by a threshold (on the 120 first smears it finds 92 % of
the boxed platelets), and a count is trusted only where spots and boxes agree one to one.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tools.geometry import PixelBox

BLUER = 25
"""Grey values by which blue exceeds red, above the image's median of that difference, after smoothing by 2 pixels."""
LEAST = 120
"""Pixels of a spot; a boxed platelet has about 700."""
AROUND = 12
"""Pixels around a white cell's box that still are its stain."""
NEAR = 5.0
"""Pixels by which a spot's centre may lie outside a platelet's box."""


def bears_out(pixels: NDArray[Any], platelets: Sequence[PixelBox], white: Sequence[PixelBox]) -> bool:
    """Whether each boxed platelet has a spot, and each spot outside the white cells a box."""
    spots = spots_in(pixels, white)
    return all(any(_holds(box, spot) for spot in spots) for box in platelets) and all(
        any(_holds(box, spot) for box in platelets) for spot in spots
    )


def spots_in(pixels: NDArray[Any], white: Sequence[PixelBox]) -> list[tuple[float, float]]:
    """Centres (x, y) of the blue spots of an RGB smear that lie in no white cell."""
    from scipy import ndimage

    filters = cast("Any", ndimage)
    smooth = np.asarray(filters.gaussian_filter(pixels.astype(np.float32), (2, 2, 0)), np.float32)
    bluer = smooth[..., 2] - smooth[..., 0]
    mask = np.array(bluer > np.median(bluer) + BLUER, np.bool_)
    for x1, y1, x2, y2 in white:
        left, top = max(0, int(x1) - AROUND), max(0, int(y1) - AROUND)
        mask[top : int(y2) + AROUND, left : int(x2) + AROUND] = False
    labels, count = filters.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    names = [name for name, size in enumerate(sizes, start=1) if size >= LEAST]
    return [(float(x), float(y)) for y, x in filters.center_of_mass(mask, labels, names)]


def _holds(box: PixelBox, point: tuple[float, float]) -> bool:
    x1, y1, x2, y2 = box
    return x1 - NEAR < point[0] < x2 + NEAR and y1 - NEAR < point[1] < y2 + NEAR
