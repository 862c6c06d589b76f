"""Which of an image's types holds values without losing any: 8 or 16 bits, else float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import ImageError


def supported_values(pixels: NDArray[Any]) -> NDArray[Any]:
    """`pixels` in one of MedicalImage's types, no value changed (float64 is rounded to float32). Raises ImageError."""
    if pixels.dtype.kind == "f":
        if pixels.size and not np.isfinite(pixels).any():
            raise ImageError("Got an image without one finite value, expected measured values.")
        return pixels.astype(np.float32)
    if pixels.dtype.kind in "iu" and pixels.dtype.name not in ("uint8", "uint16", "int16") and pixels.size:
        low, high = int(pixels.min()), int(pixels.max())
        for dtype in (np.uint16, np.int16):
            if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
                return pixels.astype(dtype)
        raise ImageError(f"Got values from {low} to {high}, expected 16 bits at most. Scale them, or give float32.")
    return pixels


def compact(values: NDArray[Any], signed: bool = False) -> NDArray[Any]:
    """The same values in the smallest type that holds them all: 8 or 16 bits, else float32 (24 bits of precision)."""
    if values.dtype.kind == "f":
        if not np.isfinite(values).any():
            raise ImageError("Got an image without one finite value, expected measured values.")
        whole = np.isfinite(values).all() and bool((values == np.rint(values)).all())
        if not whole:
            return values.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if values.dtype == np.uint8 and not signed:
        return values
    for dtype in (np.int16,) if signed else (np.uint16, np.int16):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return values.astype(dtype)
    return values.astype(np.float32)
