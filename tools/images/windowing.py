"""From measured values to the 256 greys of a screen: the window of radiology."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = tuple[float, float]
"""Centre and width, in the image's own values (HU for a calibrated CT)."""


_LARGE = 1e37
"""From here on a difference of two numbers may be too large for 32 bits."""


def apply_window(pixels: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    """`pixels` (any shape) as 8-bit greys: centre - width/2 is black, centre + width/2 is white, linear in between.

    DICOM's LINEAR_EXACT function (PS3.3 C.11.2.1.3.2), which has a meaning for widths of 1 and below too. What is not a
    number is shown black.
    """
    return np.rint(window_shares(pixels, window) * np.float32(255)).astype(np.uint8)


def window_shares(pixels: NDArray[Any], window: Window) -> NDArray[np.float32]:
    """Where the values lie in the window: 0 (its lower end, or below, or no number) to 1 (its upper end, or above)."""
    centre, width = window
    low = centre - width / 2
    of_type = np.float64 if max(abs(low), width, _most(pixels)) > _LARGE else np.float32
    share = (pixels.astype(of_type) - of_type(low)) / of_type(width)
    return np.clip(np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0).astype(np.float32)


def _most(pixels: NDArray[Any]) -> float:
    """The largest finite value, whatever its sign; of integers 0, as none is too large."""
    if pixels.dtype.kind != "f":
        return 0.0
    return float(np.max(np.abs(pixels), where=np.isfinite(pixels), initial=0.0))


def percentile_window(pixels: NDArray[Any]) -> Window:
    """The window from the 0.5th to the 99.5th percentile of the finite values: a fair first look at unknown values."""
    values = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    if values.size == 0:
        return 0.5, 1.0
    low, high = (float(each) for each in np.percentile(values, (0.5, 99.5)))
    if low == high:
        low, high = float(values.min()), float(values.max())
    return (low + high) / 2, (high - low) or 1.0
