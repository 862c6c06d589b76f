"""From a data set's frames to measured values: modality units, brighter is more, colours as RGB, no bit lost.

Order of PS3.4 N.2: stored values, modality transformation, then what display needs. A window (centre and width) is kept
as a window; what no window can say, a VOI table or a sigmoid, is applied at once where the values have no unit.
"""

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import ImageError
from tools.images.dicom.codestream import announced_size
from tools.images.dicom.dataset import MEND, Dataset, group
from tools.images.limits import Limits
from tools.images.windowing import Window

DECODERS = ("pydicom", "pillow", "pylibjpeg")
"""pydicom's plug-ins that are used, the preferred first. Not gdcm: a damaged frame makes it end the whole program."""
GREYS = ("MONOCHROME1", "MONOCHROME2")
_UNITS = {"HU": "HU", "GY": "Gy", "BQML": "Bq/ml", "GML": "g/ml", "CNTS": "counts"}


@dataclass(frozen=True)
class Frames:
    """What the pixels of one object mean."""

    values: NDArray[Any]
    """(frames, height, width) or (frames, height, width, 3)."""

    unit: str
    window: Window | None


def read_frames(dataset: Dataset, limits: Limits) -> Frames:
    """All frames of a data set. Raises ImageError where it has none, they are too large or cannot be decoded."""
    stored = _stored(dataset, limits)
    kind = str(dataset.get("PhotometricInterpretation", "")).strip()
    if kind == "PALETTE COLOR":
        return _palette(stored, dataset)
    if stored.ndim == 4:
        if stored.dtype.name not in ("uint8", "uint16"):
            raise ImageError(f"Got colours of {stored.dtype.itemsize * 8} bits, expected 8 or 16. Scale them first.")
        return Frames(stored, "", None if stored.dtype == np.uint8 else _full_range(dataset))
    return _greys(stored, dataset, kind)


def unit_of(dataset: Dataset) -> str:
    """The unit of the values after the modality transformation, where the standard says what they are."""
    holder = group(dataset, "PixelValueTransformationSequence")
    stated = str(holder.get("RescaleType") or dataset.get("Units") or dataset.get("DoseUnits") or "").strip()
    localizer = "LOCALIZER" in [str(each) for each in dataset.get("ImageType") or ()]
    if not stated and dataset.get("Modality") == "CT" and "RescaleIntercept" in holder and not localizer:
        return "HU"  # PS3.3 C.8.2.1.1.2: what a CT image that says nothing else is in
    return _UNITS.get(stated, "")


def window_of(dataset: Dataset, frame: int = 0) -> Window | None:
    """The first window of a frame, as one of `apply_window` (PS3.3 C.11.2.1.2); None where there is none to use."""
    holder = group(dataset, "FrameVOILUTSequence", frame)
    centre, width = _first(holder.get("WindowCenter")), _first(holder.get("WindowWidth"))
    if centre is None or width is None or width <= 0:
        return None
    if str(holder.get("VOILUTFunction") or "LINEAR").strip() == "LINEAR":
        return centre - 0.5, max(width - 1, 1e-3)
    return centre, width


def _stored(dataset: Dataset, limits: Limits) -> NDArray[Any]:
    """The stored values of all frames as (frames, height, width[, 3])."""
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise ImageError(
            f"Got a DICOM object without pixels ({_kind_of_object(dataset)}), expected an image. Give the images "
            "that it belongs to."
        )
    count = int(dataset.get("NumberOfFrames") or 1)
    height, width = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    limits.check_volume(count, width, height)
    stored = _decoded(dataset, count, width, height)
    colours = int(dataset.get("SamplesPerPixel") or 1)
    if colours not in (1, 3):
        raise ImageError(f"Got {colours} samples per pixel, expected 1 (greys) or 3 (colours). {MEND}")
    return stored.reshape(count, height, width, 3) if colours == 3 else stored.reshape(count, height, width)


def _decoded(dataset: Dataset, count: int, width: int, height: int) -> NDArray[Any]:
    """What pydicom makes of the pixel data, with the first of DECODERS that can read it."""
    from pydicom.pixels import get_decoder, pixel_array
    from pydicom.uid import UID

    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    try:
        there = get_decoder(syntax).available_plugins if syntax.is_encapsulated else ("",)
    except (NotImplementedError, ValueError):
        there = ()
    usable = [each for each in ("", *DECODERS) if each in there]
    if not usable:
        name = "a private one" if syntax.name == str(syntax) else syntax.name
        raise ImageError(
            f"Got the transfer syntax {name}, expected one that pydicom reads with {', '.join(DECODERS)} as installed "
            "here. Convert it, e.g. to Explicit VR Little Endian."
        )
    _check_frames(dataset, count, width, height)
    for decoder in usable[:-1]:
        with contextlib.suppress(RuntimeError):  # it cannot: the next one may
            return pixel_array(dataset, decoding_plugin=decoder)
    return pixel_array(dataset, decoding_plugin=usable[-1])


def _check_frames(dataset: Dataset, count: int, width: int, height: int) -> None:
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated or "PixelData" not in dataset:
        return
    from pydicom.encaps import generate_frames

    for frame in generate_frames(dataset.PixelData, number_of_frames=count):
        if (said := announced_size(frame)) is not None and said != (width, height):
            raise ImageError(
                f"Got a compressed frame of {said[0]} x {said[1]} pixels in an object of {width} x {height}, expected "
                f"the same size. {MEND}"
            )


def _greys(stored: NDArray[Any], dataset: Dataset, kind: str) -> Frames:
    if kind not in GREYS:
        raise ImageError(f"Got one sample per pixel as {kind[:16]!r}, expected MONOCHROME1, MONOCHROME2 or a palette.")
    unit = unit_of(dataset)
    values = _modality_values(stored, dataset)
    window = window_of(dataset, len(stored) // 2)
    if not unit and values.dtype.kind in "iu" and _needs_table(dataset, window):
        values, window = _through_table(values, dataset), None
    if stored.dtype == np.uint8 and int(dataset.get("BitsStored") or 8) == 1 and window is None:
        window = (0.5, 1.0)
    if kind == "MONOCHROME1":  # the least value is white: turned, so that everywhere here more is brighter
        low, high = _range(values, dataset)
        values = (low + high) - (values if values.dtype.kind == "f" else values.astype(np.int64))
        unit = ""
        window = None if window is None else (low + high - window[0], window[1])
    return Frames(compact(values, signed=unit == "HU"), unit, window)


def compact(values: NDArray[Any], signed: bool = False) -> NDArray[Any]:
    """The same values in the smallest type of an image that holds them all: 8 or 16 bits, else float32."""
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


def _modality_values(stored: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    from pydicom.pixels import apply_modality_lut

    if dataset.get("ModalityLUTSequence"):
        return apply_modality_lut(stored, dataset)
    scaling = float(dataset.get("DoseGridScaling") or 1.0)
    lines = [_line(dataset, frame, scaling) for frame in range(len(stored))]
    if set(lines) == {(1.0, 0.0)}:
        return stored
    if all(slope.is_integer() and intercept.is_integer() for slope, intercept in lines) and stored.dtype.kind in "iu":
        whole = stored.astype(np.int64 if stored.dtype.itemsize > 2 else np.int32)
        for frame, (slope, intercept) in zip(whole, lines, strict=True):
            frame *= int(slope)
            frame += int(intercept)
        return whole
    real = np.empty(stored.shape, np.float32)
    for into, frame, (slope, intercept) in zip(real, stored, lines, strict=True):
        into[...] = frame.astype(np.float64) * slope + intercept
    return real


def _line(dataset: Dataset, frame: int, scaling: float) -> tuple[float, float]:
    holder = group(dataset, "PixelValueTransformationSequence", frame)
    slope, intercept = _first(holder.get("RescaleSlope")), _first(holder.get("RescaleIntercept"))
    return (1.0 if slope is None else slope) * scaling, 0.0 if intercept is None else intercept


def _needs_table(dataset: Dataset, window: Window | None) -> bool:
    function = str(group(dataset, "FrameVOILUTSequence").get("VOILUTFunction") or "").strip()
    return function == "SIGMOID" if window is not None else bool(dataset.get("VOILUTSequence"))


def _through_table(values: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    from pydicom.pixels import apply_voi, apply_windowing

    if dataset.get("VOILUTSequence") and dataset.get("WindowCenter") is None:
        return apply_voi(values, dataset)
    return np.rint(apply_windowing(values, dataset)).astype(np.int32)


def _range(values: NDArray[Any], dataset: Dataset) -> tuple[Any, Any]:
    """The least and the greatest value that the object could hold, so that all slices of a series are turned alike."""
    if values.dtype.kind == "f":
        return np.float32(np.nanmin(values)), np.float32(np.nanmax(values))
    bits = int(dataset.get("BitsStored") or values.dtype.itemsize * 8)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dataset.get("PixelRepresentation") else (0, 2**bits - 1)
    slope, intercept = _line(dataset, 0, 1.0)
    ends = [int(slope * each + intercept) for each in (low, high)]
    return min(*ends, int(values.min())), max(*ends, int(values.max()))


def _palette(stored: NDArray[Any], dataset: Dataset) -> Frames:
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(stored, dataset)[..., :3]
    if colours.dtype == np.uint16:
        if bool(((colours >> 8) == (colours & 255)).all()) or not (colours & 255).any():
            return Frames((colours >> 8).astype(np.uint8), "", None)
        return Frames(colours, "", (32767.5, 65535.0))
    return Frames(colours, "", None)


def _full_range(dataset: Dataset) -> Window:
    high = 2.0 ** int(dataset.get("BitsStored") or 16) - 1
    return high / 2, high


def _first(value: object) -> float | None:
    """The first of one or several numbers."""
    from pydicom.multival import MultiValue

    if isinstance(value, MultiValue | list | tuple):
        value = value[0] if len(value) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    try:
        number = float(value)  # pyright: ignore[reportArgumentType, reportUnknownArgumentType]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _kind_of_object(dataset: Dataset) -> str:
    from pydicom.uid import UID

    uid = UID(str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", "")))
    return "of unknown kind" if uid.name == str(uid) else uid.name
