"""From an encoded picture (the bytes of a file) or a PIL image to pixels, in full depth or not at all.

Pillow is the decoder. Where it would lose something in silence the file is refused: colour of 16 bits (it keeps 8), the
other frames of a multi-frame file. Whatever its decoders raise for a damaged file becomes an ImageError.
"""

import io
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from tools.errors import ImageError
from tools.images.depth import supported_values
from tools.images.limits import Limits
from tools.images.reported import reported

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
STRIP = 2**20
"""Pixels that are converted at once."""
MEND = f"Give a file in one of the formats {', '.join(FORMATS)}, DICOM or NIfTI."


def decode_bytes(content: bytes, limits: Limits) -> NDArray[Any]:
    """The pixels in `content`. ImageError for what is no whole image of FORMATS or exceeds `limits`."""
    with reported(f"{len(content)} bytes", MEND), Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        return _pixels(picture, limits)


def decode_picture(picture: Image.Image, limits: Limits) -> NDArray[Any]:
    """The pixels of a PIL image, which may still be unread. Raises ImageError as `decode_bytes` does."""
    with reported("a PIL image", MEND):
        return _pixels(picture, limits)


def supported_picture(pixels: NDArray[Any], limits: Limits) -> NDArray[Any]:
    """`pixels` of one picture as `supported_values`; (height, width, 1) is grey. Raises ImageError."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim >= 2:
        limits.check_picture(pixels.shape[1], pixels.shape[0])
    return supported_values(pixels)


def _pixels(picture: Image.Image, limits: Limits) -> NDArray[Any]:
    limits.check_picture(picture.width, picture.height)
    # the further frames of an MPO, the JPEG of many cameras, are previews
    if picture.format != "MPO" and (frames := getattr(picture, "n_frames", 1)) > 1:
        raise ImageError(f"Got a file of {frames} frames, expected one. Give one frame, e.g. as an array.")
    if _has_16_bit_colour(picture):
        raise ImageError(
            "Got colours or transparency of 16 bits, expected 8 bits, or greys of 16: half the bits would be lost. "
            "Convert it first."
        )
    picture.load()
    if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # Pillow copies where there is nothing to turn too
        picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("L", "F") or picture.mode.startswith("I"):
        return supported_values(np.asarray(picture))
    if picture.mode == "1":
        return _converted(picture, "L")
    if picture.mode in ("LA", "La"):
        return _converted(picture, "L", on_black=True)
    if picture.mode in ("RGBA", "RGBa", "PA") or "transparency" in picture.info:
        return _converted(picture, "RGB", on_black=True)
    return _converted(picture, "RGB")


def _converted(picture: Image.Image, mode: Literal["L", "RGB"], on_black: bool = False) -> NDArray[Any]:
    """The pixels in a mode, strip by strip: Pillow needs several times the memory of what it converts or exports."""
    width, height = picture.size
    pixels = np.empty((height, width) if mode == "L" else (height, width, 3), np.uint8)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = np.asarray((_on_black(strip) if on_black else strip).convert(mode))
    pixels.setflags(write=False)
    return pixels


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
