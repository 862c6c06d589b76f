"""From an encoded picture (the bytes of a file) or a PIL image to pixels, in full depth or not at all.

Pillow is the decoder. Where it would lose something in silence the file is refused: colour of 16 bits (it keeps 8), the
other frames of a multi-frame file. Whatever its decoders raise for a damaged file becomes an ImageError.
"""

import contextlib
import io
import struct
import zlib
from collections.abc import Generator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tools.errors import ImageError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
MEND = f"Give a file in one of the formats {', '.join(FORMATS)}."

_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow's decoders are known to raise for damaged files."""


def decode_bytes(content: bytes, max_pixels: int) -> NDArray[Any]:
    """The pixels in `content`. ImageError for what is no whole image of FORMATS or exceeds `max_pixels`."""
    if not content:
        raise ImageError(f"Got an empty file (0 bytes). {MEND}")
    if (kind := _medical_format(content)) is not None:
        raise ImageError(f"Got a {kind} file, which is not supported yet. {MEND}")
    with _reported(f"{len(content)} bytes"), Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        return _pixels(picture, max_pixels)


def decode_picture(picture: Image.Image, max_pixels: int) -> NDArray[Any]:
    """The pixels of a PIL image, which may still be unread. Raises ImageError as `decode_bytes` does."""
    with _reported("a PIL image"):
        return _pixels(picture, max_pixels)


def supported_pixels(pixels: NDArray[Any], max_pixels: int) -> NDArray[Any]:
    """`pixels` in one of MedicalImage's types, no value changed (float64 is rounded to float32). Raises ImageError."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim >= 2:
        _check_size(pixels.shape[1], pixels.shape[0], max_pixels)
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


def _pixels(picture: Image.Image, max_pixels: int) -> NDArray[Any]:
    _check_size(picture.width, picture.height, max_pixels)
    # the further frames of an MPO, the JPEG of many cameras, are previews
    if picture.format != "MPO" and (frames := getattr(picture, "n_frames", 1)) > 1:
        raise ImageError(f"Got a file of {frames} frames, expected one. Give one frame, e.g. as an array.")
    if _has_16_bit_colour(picture):
        raise ImageError(
            "Got colours or transparency of 16 bits, expected 8 bits, or greys of 16: half the bits would be lost. "
            "Convert it first."
        )
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("L", "RGB", "F") or picture.mode.startswith("I"):
        return supported_pixels(np.asarray(picture), max_pixels)
    if picture.mode == "1":
        return np.asarray(picture.convert("L"))
    if picture.mode in ("LA", "La"):
        return np.asarray(_on_black(picture).convert("L"))
    if picture.mode in ("RGBA", "RGBa", "PA") or "transparency" in picture.info:
        return np.asarray(_on_black(picture).convert("RGB"))
    return np.asarray(picture.convert("RGB"))


def _on_black(picture: Image.Image) -> Image.Image:
    straight = picture.convert({"La": "LA", "RGBa": "RGBA"}.get(picture.mode, "RGBA")).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "black"), straight)


def _has_16_bit_colour(picture: Image.Image) -> bool:
    """Whether the file has 16 bits a channel where Pillow's mode has 8."""
    if picture.format == "TIFF":
        bits = cast("tuple[int, ...] | int", getattr(picture, "tag_v2", {}).get(258, ()))
        return picture.mode.startswith(("RGB", "LA")) and 16 in (bits if isinstance(bits, tuple) else (bits,))
    if picture.format == "PNG":
        tiles = cast("list[tuple[Any, ...]]", getattr(picture, "tile", []))
        return any(";16" in str(tile[3]) for tile in tiles) and not picture.mode.startswith("I")
    return False


def _medical_format(content: bytes) -> str | None:
    if content[128:132] == b"DICM":
        return "DICOM"
    if content[344:348] in (b"n+1\0", b"ni1\0") or content[4:8] == b"n+2\0":
        return "NIfTI"
    return "gzip (NIfTI?)" if content[:2] == b"\x1f\x8b" else None


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(
            f"Got an image of {width} x {height} pixels, expected at most {max_pixels} in all. "
            "Make it smaller, or raise max_pixels if you trust the file."
        )


@contextlib.contextmanager
def _reported(got: str) -> Generator[None]:
    try:
        yield
    except ImageError:
        raise
    except _DECODER_ERRORS as error:
        raise ImageError(
            f"Got {got} that hold no whole image ({type(error).__name__}): damaged, cut short or another format. {MEND}"
        ) from error
