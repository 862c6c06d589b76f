"""From a data set's frames to measured values: modality units, brighter is more, colours as RGB, no bit lost.

Order of PS3.4 N.2: stored values, modality transformation, then what display needs. A window (centre and width) is kept
as a window; what no window can say, a VOI table or a sigmoid, is applied at once where the values have no unit.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import ImageError
from tools.images.depth import compact
from tools.images.dicom.dataset import Dataset, group
from tools.images.dicom.stored import stored_values
from tools.images.limits import Limits
from tools.images.windowing import Window

GREYS = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "HSV", "ARGB", "CMYK")
"""Of several samples. Other words in their place are not repeated: they may be a name."""
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
    stored = stored_values(dataset, limits)
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


def _greys(stored: NDArray[Any], dataset: Dataset, kind: str) -> Frames:
    if kind not in GREYS:
        got = kind if kind in COLOURS else "something unknown"
        raise ImageError(f"Got one sample per pixel as {got}, expected MONOCHROME1, MONOCHROME2 or a palette.")
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


def _modality_values(stored: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    from pydicom.pixels.processing import apply_modality_lut

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
    from pydicom.pixels.processing import apply_voi, apply_windowing

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
    from pydicom.pixels.processing import apply_color_lut

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
