"""One medical image in memory: pixels as measured, spacing, how it is to be shown, and where it comes from.

Its identity is its content, not its file: two images with the same pixels, spacing and display window are the same
image. Pixels stay at the depth they were read with; 8-bit greys are made at the last moment, by `display`.

A volume is carried by an image too: `pixels` are its middle slice, `volume` holds all of them.
"""

import copy
import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.errors import ImageError
from tools.geometry import PixelBox
from tools.images.facts import NOTHING_KNOWN, Facts
from tools.images.panel import Panel, Section
from tools.images.provenance import Provenance
from tools.images.volume import Volume
from tools.images.windowing import Window, apply_window, percentile_window

_SAMPLED = 4_000_000
DTYPES = ("uint8", "uint16", "int16", "float32")


@dataclass(frozen=True, eq=False)
class MedicalImage:
    """A picture, which may stand for a volume. Raises ImageError where pixels, spacing or window make no sense."""

    pixels: NDArray[Any]
    """(height, width) or (height, width, 3), uint8, uint16, int16 or float32; made read-only."""

    spacing: tuple[float, float] | None = None
    """Millimetres from one pixel to the next: (down a column i.e. row spacing, along a row i.e. column spacing)."""

    provenance: Provenance | None = None
    """None: an original."""

    window: Window | None = None
    """Centre and width to display it with; None: 8-bit as it is, other depths by their percentiles."""

    number: int = 1
    """Its number in the conversation, for the text that a tool returns; set per call, no part of its identity."""

    facts: Facts = NOTHING_KNOWN
    """Modality, unit, orientation ..."""

    volume: Volume | None = None
    """All slices where this image stands for a volume (`of_volume`); its `pixels` are then the middle one."""

    @classmethod
    def of_volume(
        cls,
        volume: Volume,
        spacing: tuple[float, float] | None = None,
        window: Window | None = None,
        facts: Facts = NOTHING_KNOWN,
    ) -> "MedicalImage":
        """The image that stands for `volume`; `spacing` is within a slice: (row mm, column mm)."""
        return cls(volume.slice(volume.middle), spacing=spacing, window=window, facts=facts, volume=volume)

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or 0 in pixels.shape:
            raise ImageError(
                f"Got pixels of shape {pixels.shape}, expected (height, width) or (height, width, 3), none of them 0. "
                "Drop an alpha channel first; a volume is made by MedicalImage.of_volume."
            )
        if pixels.dtype.name not in DTYPES:
            raise ImageError(f"Got pixels of type {pixels.dtype.name}, expected one of {DTYPES}; convert them first.")
        if pixels.flags.writeable or not pixels.flags.c_contiguous or not pixels.dtype.isnative:
            pixels = np.array(pixels, dtype=pixels.dtype.newbyteorder("="), order="C")
            pixels.setflags(write=False)
            object.__setattr__(self, "pixels", pixels)
        if self.spacing is not None:
            object.__setattr__(
                self, "spacing", _two_numbers("spacing", "(row mm, column mm), both above 0", self.spacing)
            )
            if min(self.spacing) <= 0:
                raise ImageError(f"Got a spacing of {self.spacing}, expected (row mm, column mm), both above 0.")
        if self.window is not None:
            object.__setattr__(self, "window", _two_numbers("window", "(centre, width), width above 0", self.window))
            if self.window[1] <= 0:
                raise ImageError(f"Got a window of {self.window}, expected (centre, width) with a width above 0.")

    @cached_property
    def id(self) -> str:
        """Sha-256, in hex, of pixels (of a volume: all), shape, type, spacing, display window and facts."""
        digest = hashlib.sha256(f"{self.pixels.dtype.name} {self.pixels.shape} {self.spacing}".encode())
        if self.window is not None:
            digest.update(f" window {self.window}".encode())
        if self.facts != NOTHING_KNOWN:
            digest.update(f" facts {json.dumps(self.facts.to_dict(), sort_keys=True)}".encode())
        if self.volume is not None:
            each = self.volume
            digest.update(f" volume {each.voxels.shape} {each.slice_spacing} {each.directions}".encode())
        digest.update(self.measured.data)
        return digest.hexdigest()

    @property
    def measured(self) -> NDArray[Any]:
        """All values it holds: a volume's voxels, else the pixels."""
        return self.pixels if self.volume is None else self.volume.voxels

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    @cached_property
    def display_window(self) -> Window | None:
        """The window that `display` uses; None for 8-bit pixels that are shown as they are."""
        if self.window is not None or self.pixels.dtype == np.uint8:
            return self.window
        if self.volume is not None:  # one window for all slices, from some millions of values that lie all over it
            values = self.volume.voxels.reshape(-1)
            return percentile_window(values[:: 1 + values.size // _SAMPLED])
        return percentile_window(self.pixels)

    def display(self) -> Image.Image:
        """The picture that people and policies see: 8-bit, mode L or RGB, of the image's own size."""
        window = self.display_window
        return Image.fromarray(self.pixels if window is None else apply_window(self.pixels, window))

    def origin(self) -> Provenance:
        """Its provenance; an original's is all of itself, a volume's the slice that it shows."""
        if self.provenance is not None:
            return self.provenance
        shown = Section("acquired", self.volume.middle, self.volume.middle) if self.volume else None
        return Provenance.of(self.id, (0.0, 0.0, float(self.width), float(self.height)), shown)

    def seen_in(self, box: PixelBox) -> tuple[Panel, ...]:
        """What `box` (pixels of this image) shows: a part of an original, of several, or of none."""
        return self.origin().cropped(self.size, box).panels

    def crop(self, box: tuple[int, int, int, int]) -> "MedicalImage":
        """Exactly the pixels of `box` (x1, y1, x2, y2, whole pixels inside the image), shown with the same window."""
        left, top, right, bottom = box
        if not (0 <= left < right <= self.width and 0 <= top < bottom <= self.height):
            raise ImageError(
                f"Got the box {box}, expected x1 < x2 and y1 < y2 within {self.width} x {self.height} pixels."
            )
        return MedicalImage(
            self.pixels[top:bottom, left:right].copy(),
            spacing=self.spacing or self.facts.spacing_within(box),
            provenance=self.origin().cropped(self.size, box),
            window=self.display_window,
            facts=self.facts.within(box),
        )

    def derived(self, pixels: NDArray[Any], window: Window | None = None) -> "MedicalImage":
        """Another picture of the same field of view and size, e.g. `pixels` after `window` was burnt in.

        Its values are no longer the measured ones, so it has no unit.
        """
        if pixels.shape[:2] != self.pixels.shape[:2]:
            raise ImageError(
                f"Got pixels of shape {pixels.shape}, expected the size of the image, {self.pixels.shape[:2]}."
            )
        return MedicalImage(
            pixels,
            spacing=self.spacing,
            provenance=self.origin().shown_in(window),
            facts=self.facts.without_unit(),
        )

    def turned(self, quarters: int, mirrored: bool = False) -> "MedicalImage":
        """The same values mirrored left for right (if `mirrored`), then turned clockwise by quarters."""
        pixels = np.rot90(np.flip(self.pixels, axis=1) if mirrored else self.pixels, k=-quarters)
        spacing = self.spacing
        return MedicalImage(
            pixels.copy(),
            spacing=(spacing[1], spacing[0]) if spacing is not None and quarters % 2 else spacing,
            provenance=self.origin().turned(quarters, mirrored),
            window=self.display_window,
            facts=self.facts.turned(quarters, mirrored, self.size),
        )

    def numbered(self, number: int) -> "MedicalImage":
        """The same image under its number in a conversation (no pixel is copied, no hash computed again)."""
        return self._with("number", number)

    def with_provenance(self, provenance: Provenance) -> "MedicalImage":
        """The same image with another descent."""
        return self._with("provenance", provenance)

    def _with(self, field: str, value: object) -> "MedicalImage":
        same = copy.copy(self)  # not dataclasses.replace: it would forget the hash
        object.__setattr__(same, field, value)
        return same


def _two_numbers(name: str, expected: str, values: tuple[float, float]) -> tuple[float, float]:
    try:
        first, second = (float(each) for each in values)
    except (TypeError, ValueError) as error:
        raise ImageError(f"Got {values!r} as {name}, expected two numbers: {expected}.") from error
    if not (math.isfinite(first) and math.isfinite(second)):
        raise ImageError(f"Got {values!r} as {name}, expected finite numbers: {expected}.")
    return first, second
