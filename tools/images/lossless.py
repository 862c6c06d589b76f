"""Pixels to the bytes of a file and back, bit by bit: PNG where it can hold them, numpy's own NPY and NPZ elsewhere.

A volume is written as it is, because packing a CT takes seconds and makes it half as large. One that packs into a
quarter (a mask; zeros, of which some KB may hold any number) is packed: what is on disk stays near what was uploaded.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SUFFIXES = (".png", ".npy", ".npz")
WORTH_PACKING = 2**20
"""Bytes from which on packing is tried."""
PACKED_WELL = 1 / 4
_CHUNK = 2**20
_MEMBER = "pixels"


def encode_lossless(pixels: NDArray[Any]) -> tuple[str, memoryview]:
    """The file for `pixels`: its suffix and its content. Fast rather than small: each episode pays for the writing.

    ".png" for 8 bits and for 16-bit greys, ".npy" or ".npz" for float, 16-bit colour and volumes.
    """
    file = io.BytesIO()
    if _fits_png(pixels):
        # PNG has no signed values: shifted, not wrapped, so that any viewer shows the picture right
        shown = (pixels.astype(np.int32) + 32768).astype(np.uint16) if pixels.dtype == np.int16 else pixels
        Image.fromarray(shown).save(file, "PNG", compress_level=1)
        return ".png", file.getbuffer()
    np.save(file, pixels, allow_pickle=False)
    packed = _packed(file.getbuffer()) if pixels.nbytes >= WORTH_PACKING else None
    return (".npy", file.getbuffer()) if packed is None else (".npz", packed)


def decode_lossless(path: Path, dtype: str) -> NDArray[Any]:
    """The pixels in `path`, which were of `dtype`. Raises what numpy, zipfile and Pillow raise for a damaged file."""
    if path.suffix != ".png":
        values = np.load(path, allow_pickle=False)
        if path.suffix == ".npz":
            with values:
                values = values[_MEMBER]
        values.setflags(write=False)  # a volume need not be copied to be safe
        return values
    with Image.open(path, formats=["PNG"]) as picture:
        pixels = np.asarray(picture)
    return (pixels.astype(np.int32) - 32768).astype(np.int16) if dtype == "int16" else pixels


def _fits_png(pixels: NDArray[Any]) -> bool:
    if pixels.ndim == 2:
        return pixels.dtype.kind in "iu"
    return pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3


def _packed(content: memoryview) -> memoryview | None:
    """An NPZ file of one NPY file, or None as soon as it is not packed well."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        member = zipfile.ZipInfo(f"{_MEMBER}.npy")
        member.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(member, "w", force_zip64=True) as into:
            for start in range(0, len(content), _CHUNK):
                into.write(content[start : start + _CHUNK])
                if file.tell() > PACKED_WELL * len(content):
                    return None
    return file.getbuffer()
