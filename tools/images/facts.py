"""What is known of an image besides its pixels: modality, unit, orientation, and where it may be measured in mm.

Only what helps to read or measure it, and only values from closed lists: nothing here can hold a name, a date or a
number of a person, whatever a file has in these places.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from tools.errors import ImageError

_CODES = "CT MR US CR DX MG PT NM XA RF IO PX ES GM SM OP OPT OPV XC OT DG RG IVUS IVOCT BMD TG EM RTIMAGE RTDOSE SEG"
MODALITIES = frozenset(_CODES.split())
"""DICOM's codes of the modalities that make pictures (PS3.3 C.7.3.1.1.1)."""

UNITS = frozenset(("HU", "Gy", "Bq/ml", "g/ml", "counts"))


@dataclass(frozen=True)
class CalibratedRegion:
    """A part of an image that has its own spacing, as in ultrasound, where the rest of the screen has none."""

    box: tuple[int, int, int, int]
    """x1, y1, x2, y2 in whole pixels of the image."""

    spacing: tuple[float, float]
    """(row mm, column mm)."""


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
        if set(letters) - set("LRPAHF"):
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

    def spacing_within(self, box: tuple[int, int, int, int]) -> tuple[float, float] | None:
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


NOTHING_KNOWN = Facts()
