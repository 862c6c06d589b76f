"""Which of an image's types holds values without losing any: 8 or 16 bits, else float32."""

import math
from collections.abc import Iterable
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
    return values.astype(compact_type(values if values.ndim > 2 else (values,), signed), copy=False)


def compact_type(parts: Iterable[NDArray[Any]], signed: bool = False) -> np.dtype[Any]:
    """The type of `compact` for values that come in parts, such as slices. Raises ImageError where none is finite."""
    whole, low, high, kinds = True, math.inf, -math.inf, set[np.dtype[Any]]()
    for part in parts:
        kinds.add(part.dtype)
        finite = part
        if part.dtype.kind == "f":
            known = np.isfinite(part)
            whole = whole and bool(known.all()) and bool((part == np.rint(part)).all())
            finite = part[known] if not whole else part
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        raise ImageError("Got an image without one finite value, expected measured values.")
    if kinds == {np.dtype(np.uint8)} and not signed:
        return np.dtype(np.uint8)
    for dtype in (np.int16,) if signed else (np.uint16, np.int16):
        if whole and np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    return np.dtype(np.float32)
