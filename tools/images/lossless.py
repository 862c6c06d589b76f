"""Pixels to the bytes of a file and back, bit by bit: PNG where it can hold them, NPY (numpy's own) elsewhere."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SUFFIXES = (".png", ".npy")


def suffix_for(pixels: NDArray[Any]) -> str:
    """ ".png" for 8-bit and for 16-bit greys, ".npy" for float, 16-bit colour and volumes."""
    if pixels.ndim == 2:
        return ".png" if pixels.dtype.kind in "iu" else ".npy"
    return ".png" if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 else ".npy"


def encode_lossless(pixels: NDArray[Any]) -> bytes:
    """The file for `pixels`. Fast rather than small: the time to write is paid in every episode."""
    file = io.BytesIO()
    if suffix_for(pixels) == ".npy":
        np.save(file, pixels, allow_pickle=False)
    else:
        # PNG has no signed values: shifted, not wrapped, so that any viewer shows the picture right
        shown = (pixels.astype(np.int32) + 32768).astype(np.uint16) if pixels.dtype == np.int16 else pixels
        Image.fromarray(shown).save(file, "PNG", compress_level=1)
    return file.getvalue()


def decode_lossless(path: Path, dtype: str) -> NDArray[Any]:
    """The pixels in `path`, which were of `dtype`. Raises what numpy and Pillow raise for a damaged file."""
    if path.suffix == ".npy":
        values = np.load(path, allow_pickle=False)
        values.setflags(write=False)  # a volume need not be copied to be safe
        return values
    with Image.open(path, formats=["PNG"]) as picture:
        pixels = np.asarray(picture)
    return (pixels.astype(np.int32) - 32768).astype(np.int16) if dtype == "int16" else pixels
