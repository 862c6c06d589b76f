"""From a file, folder, bytes, address, data URL, PIL image or array to a MedicalImage.

Depth is kept: 16-bit greys stay 16-bit. What identifies a person is never read from DICOM or NIfTI, and file names go
nowhere. Spacing comes from the caller, from the file where it holds in the body, or from a file `NAME.json` beside
`NAME.png`: {"spacing_mm": [row, column]}; never from a resolution tag: that is for printing.
"""

import base64
import binascii
import json
import os
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.errors import ImageError
from tools.images.decode import MEND, decode_bytes, decode_picture, supported_picture
from tools.images.depth import supported_values
from tools.images.dicom.dataset import is_dicom
from tools.images.dicom.series import read_series
from tools.images.dicom.single import read_object
from tools.images.fetch import fetch
from tools.images.image import MedicalImage
from tools.images.limits import Limits
from tools.images.nifti import is_nifti, read_nifti, unpacked
from tools.images.volume import Volume

Source = MedicalImage | Image.Image | NDArray[Any] | bytes | str | os.PathLike[str]
Spacing = tuple[float, float] | tuple[float, float, float]

DEFAULT_LIMITS = Limits()


def load_image(
    source: Source,
    spacing: Spacing | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    hosts: Collection[str] = (),
    blank_burnt_in_text: bool = False,
) -> MedicalImage:
    """The image in `source`: a file, a folder of DICOM slices, encoded bytes, a data URL, a PIL image, an array.

    PNG, JPEG, TIFF, BMP, WebP, DICOM and NIfTI are read. A volume, or a film, becomes one image that carries `volume`.
    Arrays are (height, width) or (height, width, 3); with three numbers as `spacing`, (slices, height, width[, 3]).

    `spacing` is (row mm, column mm), of a volume (slice mm, row mm, column mm), and wins over what the file says. An
    http(s) address is fetched only from one of `hosts`. `blank_burnt_in_text` finds text in the pixels (OCR, about a
    second a slice) and blanks it before anything else sees the image.

    Raises ImageError for whatever cannot be read, exceeds `limits`, or would lose information.
    """
    image = _with_spacing(_loaded(source, spacing, limits, hosts), spacing)
    if blank_burnt_in_text:
        from tools.images.burnt_in import without_text

        return without_text(image)
    return image


def _loaded(source: object, spacing: Spacing | None, limits: Limits, hosts: Collection[str]) -> MedicalImage:
    if isinstance(source, MedicalImage):
        return source
    if isinstance(source, np.ndarray):
        return _array(cast("NDArray[Any]", source), spacing, limits)
    if isinstance(source, Image.Image):
        return MedicalImage(decode_picture(source, limits))
    if isinstance(source, bytes):
        return _decoded(source, limits)
    if isinstance(source, str) and source[:5].lower() == "data:":
        return _decoded(_data_url_content(source), limits)
    if isinstance(source, str) and re.match(r"[a-z][a-z0-9+.-]+://", source, re.IGNORECASE):
        return _decoded(fetch(source, hosts, limits), limits)
    if not isinstance(source, str | os.PathLike):
        expected = "a path, bytes, a data URL, a PIL image or a numpy array"
        raise ImageError(f"Got {type(source).__name__} as an image, expected {expected}.")
    return _from_path(Path(cast("str | os.PathLike[str]", source)), spacing, limits)


def _decoded(content: bytes, limits: Limits) -> MedicalImage:
    if not content:
        raise ImageError(f"Got an empty file (0 bytes). {MEND}")
    if content[:2] == b"\x1f\x8b":
        content = unpacked(content, limits)
    if is_dicom(content):
        return read_object(content, limits)
    if is_nifti(content):
        return read_nifti(content, limits)
    return MedicalImage(decode_bytes(content, limits))


def _array(array: NDArray[Any], spacing: Spacing | None, limits: Limits) -> MedicalImage:
    if spacing is None or len(spacing) != 3:
        return MedicalImage(supported_picture(array, limits))
    if array.ndim not in (3, 4):
        raise ImageError(
            f"Got an array of shape {array.shape} with a spacing of three numbers, expected (slices, height, width)."
        )
    limits.check_volume(array.shape[0], array.shape[2], array.shape[1])
    return MedicalImage.of_volume(Volume(supported_values(array)))


def _with_spacing(image: MedicalImage, spacing: Spacing | None) -> MedicalImage:
    if spacing is None:
        return image
    if len(spacing) != 3:
        return replace(image, spacing=spacing)
    if image.volume is None:
        raise ImageError(f"Got a spacing of three numbers, {spacing}, for one picture, expected (row mm, column mm).")
    return replace(image, spacing=spacing[1:], volume=replace(image.volume, slice_spacing=float(spacing[0])))


def _from_path(path: Path, spacing: Spacing | None, limits: Limits) -> MedicalImage:
    try:
        if path.is_dir():
            return read_series(path, limits)
        if path.exists() and not path.is_file():
            raise ImageError(f"Got a device or pipe, expected a file. {MEND}")
        limits.check_bytes(path.stat().st_size)
        content = path.read_bytes()
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"Got a path where there is no file. {MEND}") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"Got a file that cannot be opened ({type(error).__name__}): check that it may be.") from None
    image = _decoded(content, limits)
    return image if spacing or image.spacing else _with_spacing(image, _spacing_beside(path))


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
    steps = cast("list[object]", spacing) if isinstance(spacing, list) else []
    numbers = [float(each) for each in steps if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) != 2 or len(steps) != 2:  # what else is there may name a person, so it is not repeated
        raise ImageError(f"Got spacing_mm that is not two numbers in the JSON file beside the image, {expected}.")
    return numbers[0], numbers[1]


def _data_url_content(url: str) -> bytes:
    head, comma, content = url.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise ImageError("Got a data URL that is not in base64, expected data:image/png;base64,... .")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError("Got a data URL whose base64 is damaged; encode the image again.") from error
