"""What is known of an image besides its pixels: modality, unit, orientation, and where it may be measured in mm.

Only what helps to read or measure it, and only values from closed lists: nothing here can hold a name, a date or a
number of a person, whatever a file has in these places.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from tools.errors import ImageError
from tools.geometry import PixelBox

_CODES = "CT MR US CR DX MG PT NM XA RF IO PX ES GM SM OP OPT OPV XC OT DG RG IVUS IVOCT BMD TG EM RTIMAGE RTDOSE SEG"
MODALITIES = frozenset(_CODES.split())
"""DICOM's codes of the modalities that make pictures (PS3.3 C.7.3.1.1.1)."""

OPPOSITE = {"L": "R", "R": "L", "P": "A", "A": "P", "H": "F", "F": "H"}
"""Sides of the patient."""

UNITS = frozenset(("HU", "Gy", "Bq/ml", "g/ml", "counts"))


@dataclass(frozen=True)
class CalibratedRegion:
    """A part of an image that has its own spacing, as in ultrasound, where the rest of the screen has none."""

    box: tuple[int, int, int, int]
    """x1, y1, x2, y2 in whole pixels of the image."""

    spacing: tuple[float, float]
    """(row mm, column mm)."""

    def moved(self, right: int) -> "CalibratedRegion":
        """In an image that begins so many pixels further to the left."""
        x1, y1, x2, y2 = self.box
        return CalibratedRegion((x1 + right, y1, x2 + right, y2), self.spacing)

    def mirrored(self, width: int) -> "CalibratedRegion":
        """In an image of this width that is mirrored left for right."""
        x1, y1, x2, y2 = self.box
        return CalibratedRegion((width - x2, y1, width - x1, y2), self.spacing)

    def quarter_turned(self, height: int) -> "CalibratedRegion":
        """In an image of this height that is turned clockwise by a quarter."""
        x1, y1, x2, y2 = self.box
        return CalibratedRegion((height - y2, x1, height - y1, x2), (self.spacing[1], self.spacing[0]))


@dataclass(frozen=True)
class Facts:
    """Part of an image's identity: two images of the same pixels and other facts are two images."""

    modality: str = ""
    """One of MODALITIES; empty where the file does not say."""

    unit: str = ""
    """Of the pixel values, one of UNITS; empty where more is only brighter."""

    orientation: tuple[str, str] | None = None
    """Where in the patient the right edge and the lower edge lie: L, R (left, right), P, A (back, front), H, F."""

    regions: tuple[CalibratedRegion, ...] = ()
    """Parts with a spacing of their own; the image as a whole then has none."""

    detector_spacing: tuple[float, float] | None = None
    """(row mm, column mm) on the detector or film. In the body it is less by an unknown magnification: not for mm."""

    burnt_in_text: bool | None = None
    """What the file says of text in the pixels; None where it says nothing."""

    def __post_init__(self) -> None:
        letters = "".join(self.orientation or ())
        if (self.modality and self.modality not in MODALITIES) or (self.unit and self.unit not in UNITS):
            raise ImageError(
                f"Got a modality or unit outside the lists of tools/images/facts.py; expected one of "
                f"{', '.join(sorted(MODALITIES | UNITS))}, or nothing."
            )
        if set(letters) - set(OPPOSITE):
            raise ImageError("Got an orientation of other letters, expected two of L, R, P, A, H, F or None.")

    def without_unit(self) -> "Facts":
        """The same of an image whose values were changed."""
        return replace(self, unit="")

    def within(self, box: tuple[int, int, int, int]) -> "Facts":
        """The same of a crop: its regions in the crop's pixels, those that lie elsewhere left out."""
        left, top, right, bottom = box
        kept: list[CalibratedRegion] = []
        for region in self.regions:
            x1, y1, x2, y2 = region.box
            x1, y1, x2, y2 = max(x1, left), max(y1, top), min(x2, right), min(y2, bottom)
            if x1 < x2 and y1 < y2:
                kept.append(replace(region, box=(x1 - left, y1 - top, x2 - left, y2 - top)))
        return replace(self, regions=tuple(kept))

    def scaled(self, across: float, down: float) -> "Facts":
        """The same of an image enlarged so many times; of its regions the whole pixels that lie within."""
        kept: list[CalibratedRegion] = []
        for region in self.regions:
            x1, y1, x2, y2 = region.box
            box = _inside((x1 * across, y1 * down, x2 * across, y2 * down))
            if box[0] < box[2] and box[1] < box[3]:
                kept.append(CalibratedRegion(box, (region.spacing[0] / down, region.spacing[1] / across)))
        detector = self.detector_spacing
        return replace(
            self, regions=tuple(kept), detector_spacing=detector and (detector[0] / down, detector[1] / across)
        )

    def turned(self, quarters: int, mirrored: bool, size: tuple[int, int]) -> "Facts":
        """The same of an image of `size` (width, height), mirrored left for right and then turned clockwise."""
        width, height = size
        regions, orientation, detector = self.regions, self.orientation, self.detector_spacing
        if mirrored:
            regions = tuple(each.mirrored(width) for each in regions)
            orientation = orientation and (OPPOSITE[orientation[0]], orientation[1])
        for _ in range(quarters % 4):
            regions = tuple(each.quarter_turned(height) for each in regions)
            orientation = orientation and (OPPOSITE[orientation[1]], orientation[0])
            detector = detector and (detector[1], detector[0])
            width, height = height, width
        return replace(self, regions=regions, orientation=orientation, detector_spacing=detector)

    def spacing_within(self, box: PixelBox) -> tuple[float, float] | None:
        """The spacing that holds in all of `box`: that of a calibrated region around it."""
        for region in self.regions:
            x1, y1, x2, y2 = region.box
            if x1 <= box[0] and y1 <= box[1] and box[2] <= x2 and box[3] <= y2:
                return region.spacing
        return None

    def to_dict(self) -> dict[str, Any]:
        """JSON values, only of what is known; `from_dict` turns them back."""
        known: dict[str, Any] = {}
        for each in fields(self):
            value: Any = getattr(self, each.name)
            if value not in ("", None, ()):
                known[each.name] = value
        if self.regions:
            known["regions"] = [{"box": list(each.box), "spacing": list(each.spacing)} for each in self.regions]
        return known

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Facts":
        """Raises ValueError, TypeError or LookupError where `values` are not what `to_dict` writes."""
        known = dict(values)
        for name in ("orientation", "detector_spacing"):
            if name in known:
                known[name] = tuple(known[name])
        known["regions"] = tuple(
            CalibratedRegion(cast("Any", tuple(each["box"])), cast("Any", tuple(each["spacing"])))
            for each in known.get("regions", ())
        )
        return cls(**known)


def _inside(box: PixelBox) -> tuple[int, int, int, int]:
    """The whole pixels that lie within, but for an error of arithmetic."""
    x1, y1, x2, y2 = box
    return math.ceil(x1 - 1e-6), math.ceil(y1 - 1e-6), math.floor(x2 + 1e-6), math.floor(y2 + 1e-6)


NOTHING_KNOWN = Facts()
