"""What all modalities share: lesions of four types, where they may lie, smooth noise, and how hard a picture is.

Everything is told in shares of the picture's side, x to the right and y down, so that any size shows the same scene.
Difficulty runs from 0 to 1: lesions shrink from 9 % of the side to 4 %, and stand out less.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.geometry import PixelBox
from tools.images.image import MedicalImage

Array = NDArray[np.floating[Any]]
TYPES = ("solid", "ring-shaped", "star-shaped", "lobulated")
LARGE, SMALL = 0.09, 0.04
"""Diameter of a lesion at difficulty 0 and 1."""
MIDLINE = 0.06
"""A lesion's centre keeps this far from both midlines, so that its quadrant is plain."""


@dataclass(frozen=True)
class Lesion:
    """One lesion, in shares of the side."""

    x: float
    y: float
    diameter: float
    type: str
    turn: float
    """Radians by which its outline is turned."""

    def box(self, size: int) -> PixelBox:
        """Its bounding box in pixels of a picture of that side."""
        r = self.diameter / 2
        return (self.x - r) * size, (self.y - r) * size, (self.x + r) * size, (self.y + r) * size


Area = tuple[float, float, float, float]
"""An ellipse in which lesions may lie: centre x, y and radii across and down."""


@dataclass(frozen=True)
class Modality:
    """How one sort of picture is drawn."""

    name: str
    tissue: Callable[[np.random.Generator, int], Array]
    """(rng, side) -> (side, side) values without lesions, in the modality's own unit."""
    areas: tuple[Area, Area]
    """Where lesions may lie: one area on the left, one on the right."""
    contrast: tuple[float, float]
    """What a lesion adds at difficulty 0 and 1, in the modality's unit."""
    finish: Callable[[np.random.Generator, Array, float, float], MedicalImage]
    """(rng, values with lesions, spacing in mm, difficulty) -> the image."""


def between(ends: tuple[float, float], difficulty: float) -> float:
    """The value at a difficulty, from `ends` at 0 and 1."""
    return ends[0] + (ends[1] - ends[0]) * difficulty


def grid(size: int) -> tuple[Array, Array]:
    """x and y of every pixel's middle, in shares of the side."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(line, line)
    return x, y


def mottle(rng: np.random.Generator, size: int, cells: int) -> Array:
    """Smooth noise of unit deviation: `cells` x `cells` normal values, enlarged."""
    coarse = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float32)
    return (smooth / max(1e-6, float(smooth.std()))).astype(np.float32)


def grain(rng: np.random.Generator, size: int) -> Array:
    """Noise of unit deviation, pixel by pixel."""
    return rng.standard_normal((size, size), dtype=np.float32)


def place(rng: np.random.Generator, area: Area, difficulty: float, type: str | None = None) -> Lesion:
    """A lesion somewhere in an area, clear of the midlines."""
    diameter = between((LARGE, SMALL), difficulty) * float(rng.uniform(0.9, 1.1))
    while True:
        reach, angle = float(np.sqrt(rng.uniform())), float(rng.uniform(0, 2 * np.pi))
        x, y = area[0] + area[2] * reach * np.cos(angle), area[1] + area[3] * reach * np.sin(angle)
        if abs(x - 0.5) > MIDLINE and abs(y - 0.5) > MIDLINE:
            break
    chosen = type or TYPES[int(rng.integers(len(TYPES)))]
    return Lesion(float(x), float(y), diameter, chosen, float(rng.uniform(0, 2 * np.pi)))


def outline(lesion: Lesion, size: int) -> Array:
    """0 to 1 over the picture: how much of each pixel is lesion, edges one pixel soft. Areas of all types
    are within a fifth of each other."""
    x, y = grid(size)
    dx, dy = (x - lesion.x) * size, (y - lesion.y) * size
    distance, angle = np.hypot(dx, dy), np.arctan2(dy, dx) + lesion.turn
    radius = lesion.diameter / 2 * size
    match lesion.type:
        case "solid":
            inside = 0.82 * radius - distance
        case "ring-shaped":
            inside = np.minimum(radius - distance, distance - 0.56 * radius)
        case "star-shaped":
            inside = radius * (0.66 + 0.34 * np.clip(np.cos(6 * angle), 0, 1) ** 2) - distance
        case _:
            lobes = [
                (0.46 * radius * np.cos(a - lesion.turn), 0.46 * radius * np.sin(a - lesion.turn))
                for a in (0, 2.1, 4.2)
            ]
            inside = np.maximum.reduce([0.5 * radius - np.hypot(dx - across, dy - down) for across, down in lobes])
    return np.clip(inside + 0.5, 0, 1).astype(np.float32)


def with_lesions(modality: Modality, values: Array, lesions: tuple[Lesion, ...], difficulty: float) -> Array:
    """The values with the lesions added."""
    for lesion in lesions:
        values = values + outline(lesion, values.shape[0]) * np.float32(between(modality.contrast, difficulty))
    return values


def ellipse(x: Array, y: Array, area: Area) -> Array:
    """Signed depth inside an ellipse, in shares of its radii: 1 at the centre, 0 on the edge, below 0 outside."""
    return (1 - np.sqrt(((x - area[0]) / area[2]) ** 2 + ((y - area[1]) / area[3]) ** 2)).astype(np.float32)


def grey(values: Array) -> NDArray[np.uint8]:
    """8-bit greys of values from 0 to 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
