"""From a file, bytes, data URL, PIL image or array to a MedicalImage.

Depth is kept: 16-bit greys stay 16-bit. Nothing is ever fetched from a network. Spacing comes from the caller, or from
a file `NAME.json` beside `NAME.png`: {"spacing_mm": [row, column]}; never from a resolution tag: that is for printing.
"""

import base64
import binascii
import json
import os
import re
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.errors import ImageError
from tools.images.decode import MEND, decode_bytes, decode_picture, supported_pixels
from tools.images.image import MedicalImage

MAX_PIXELS = 64_000_000
"""Default limit: 8000 x 8000, well above any detector, well below what fills a memory."""

Source = MedicalImage | Image.Image | NDArray[Any] | bytes | str | os.PathLike[str]


def load_image(
    source: Source, spacing: tuple[float, float] | None = None, max_pixels: int = MAX_PIXELS
) -> MedicalImage:
    """The image in `source`: a path, encoded bytes, a data URL, a PIL image, an array or a MedicalImage.

    Arrays are (height, width) or (height, width, 3). `spacing` is (row mm, column mm) and wins over a file beside the
    image. Raises ImageError for whatever cannot be read, holds more than `max_pixels`, or would lose information.
    """
    if isinstance(source, MedicalImage):
        return source if spacing is None else MedicalImage(source.pixels, spacing, source.provenance, source.window)
    if isinstance(source, np.ndarray):
        return MedicalImage(supported_pixels(source, max_pixels), spacing)
    if isinstance(source, Image.Image):
        return MedicalImage(decode_picture(source, max_pixels), spacing)
    if isinstance(source, bytes):
        return MedicalImage(decode_bytes(source, max_pixels), spacing)
    if isinstance(source, str) and source[:5].lower() == "data:":
        return MedicalImage(decode_bytes(_data_url_content(source), max_pixels), spacing)
    path = _path(source)
    return MedicalImage(decode_bytes(_read(path), max_pixels), spacing or _spacing_beside(path))


def _path(source: object) -> Path:
    if isinstance(source, str) and re.match(r"[a-z][a-z0-9+.-]+://", source, re.IGNORECASE):
        raise ImageError(
            f"Got a {source.split('://')[0]} address, expected a file: images are never fetched. Download it first."
        )
    if isinstance(source, str | os.PathLike):
        return Path(cast("str | os.PathLike[str]", source))
    raise ImageError(
        f"Got {type(source).__name__} as an image, expected a path, bytes, a data URL, a PIL image or a numpy array."
    )


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ImageError(f"Got a folder, expected one file (folders of slices are not supported yet). {MEND}")
        if path.exists() and not path.is_file():
            raise ImageError(f"Got a device or pipe, expected a file. {MEND}")
        return path.read_bytes()
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"Got a path where there is no file (suffix {path.suffix!r}). {MEND}") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"Got a file that cannot be opened ({type(error).__name__}): check that it may be.") from error


def _spacing_beside(path: Path) -> tuple[float, float] | None:
    expected = 'expected {"spacing_mm": [row, column]} in millimetres'
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    try:
        facts: object = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ImageError(f"Got a JSON file beside the image that cannot be read, {expected}.") from error
    if not isinstance(facts, dict) or "spacing_mm" not in facts:
        return None  # another program's file
    spacing = cast("dict[str, Any]", facts)["spacing_mm"]
    if not isinstance(spacing, list):
        raise ImageError(f"Got spacing_mm {str(spacing)[:80]} in the JSON file beside the image, {expected}.")
    return cast("tuple[float, float]", tuple(cast("list[float]", spacing)))


def _data_url_content(url: str) -> bytes:
    head, comma, content = url.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise ImageError(f"Got a data URL that begins {url[:40]!r}, expected data:image/png;base64,... .")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError("Got a data URL whose base64 is damaged; encode the image again.") from error
