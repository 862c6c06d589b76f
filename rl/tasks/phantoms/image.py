"""Procedural chest phantoms: a thumbnail shows where a lesion is, and only a zoom what it is.

An x-ray-like picture of 512 x 512 pixels, 8-bit, with lungs, ribs, a spine and mottle. Its lesions are 22 to 30 pixels
across: five to seven pixels in a 112-pixel thumbnail, where the four types (each drawn with about the same integrated
intensity) and their calcifications blur into one spot. Coordinates are pixels, x to the right and y down; everything
follows from the seed.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

SIZE = 512
PATCH = 48
"""Side of the square, in pixels, in which a lesion is drawn."""
SPOT = 2.6
"""Radius of a calcification in pixels: half a pixel of the thumbnail."""
TYPES = ("solid", "cystic", "spiculated", "lobulated")

Array = np.ndarray


@dataclass(frozen=True)
class Lesion:
    """One lesion of a phantom."""

    x: float
    y: float
    diameter: float
    type: str
    calcifications: tuple[tuple[float, float], ...]
    """Where each lies, in pixels from the centre."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Its bounding box in pixels, x1, y1, x2, y2."""
        r = self.diameter / 2
        return self.x - r, self.y - r, self.x + r, self.y + r


@cache
def _grid() -> tuple[Array, Array]:
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    return x, y


def _mottle(rng: np.random.Generator, cells: int, strength: float) -> Array:
    """Smooth noise: `cells` x `cells` normal values, enlarged to the picture's size."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32) * strength
    return np.asarray(Image.fromarray(coarse, mode="F").resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def _chest(rng: np.random.Generator) -> Array:
    """The anatomy without lesions, grey values about 30 (lung) to 170 (mediastinum)."""
    x, y = _grid()
    shift = rng.uniform(-12, 12, size=2)
    tissue = 118 + rng.uniform(-12, 12) + 0.04 * (y - 256) * rng.uniform(-1, 1)
    picture = np.full((SIZE, SIZE), 0, np.float32) + tissue.astype(np.float32)
    for side in (-1, 1):
        cx, cy = 256 + side * 106 + shift[0], 258 + shift[1]
        rx, ry = rng.uniform(84, 94), rng.uniform(178, 200)
        inside = 1 - np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)
        picture -= np.clip(inside * 7, 0, 1) * rng.uniform(58, 72)
    spine = np.exp(-(((x - 256 - shift[0]) / 26) ** 2))
    picture += spine * rng.uniform(14, 30)
    pitch, phase, bow = rng.uniform(46, 58), rng.uniform(0, 50), rng.uniform(0.0008, 0.0016)
    ribs = np.cos((y + bow * (x - 256) ** 2 + phase) * (2 * np.pi / pitch))
    picture += np.clip(ribs - 0.55, 0, 1) * rng.uniform(14, 26)
    return picture


def _spread(rng: np.random.Generator, count: int, radius: float, gap: float) -> list[tuple[float, float]]:
    """`count` points in a disc of `radius`, at least `gap` apart (the gap shrinks where they would not fit)."""
    points: list[tuple[float, float]] = []
    while len(points) < count:
        gap *= 0.995
        angle, reach = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.uniform())
        candidate = (float(reach * np.cos(angle)), float(reach * np.sin(angle)))
        if all(np.hypot(candidate[0] - p[0], candidate[1] - p[1]) >= gap for p in points):
            points.append(candidate)
    return points


def _soft_disc(distance: Array, radius: float | Array) -> Array:
    return np.clip(radius - distance + 0.5, 0, 1)


def _profile(rng: np.random.Generator, lesion: Lesion, dx: Array, dy: Array) -> Array:
    """The lesion's shape around its centre, 0 to 1, before its intensity is set."""
    radius = lesion.diameter / 2
    distance, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    turn = rng.uniform(0, 2 * np.pi)
    if lesion.type == "solid":
        return _soft_disc(distance, 0.88 * radius)
    if lesion.type == "cystic":
        return _soft_disc(distance, radius) - _soft_disc(distance, 0.42 * radius)
    if lesion.type == "spiculated":
        spikes = int(rng.integers(6, 9))
        reach = 0.62 + 0.62 * np.clip(np.cos(angle * spikes + turn), 0, 1) ** 3
        return _soft_disc(distance, radius * reach)
    lobes = 3
    centres = [
        (0.5 * radius * np.cos(turn + k * 2 * np.pi / lobes), 0.5 * radius * np.sin(turn + k * 2 * np.pi / lobes))
        for k in range(lobes)
    ]
    return np.maximum.reduce([_soft_disc(np.hypot(dx - cx, dy - cy), 0.52 * radius) for cx, cy in centres])


def _add_lesion(rng: np.random.Generator, picture: Array, lesion: Lesion) -> None:
    """Draws the lesion into `picture`: the same light for every type and, calcifications included, for every count."""
    left, top = round(lesion.x) - PATCH // 2, round(lesion.y) - PATCH // 2
    x, y = _grid()
    window = (slice(top, top + PATCH), slice(left, left + PATCH))
    dx, dy = x[window] - lesion.x, y[window] - lesion.y
    shape = _profile(rng, lesion, dx, dy)
    disc_area = np.pi * (lesion.diameter / 2) ** 2
    spots = np.zeros_like(shape)
    for cx, cy in lesion.calcifications:
        spots = np.maximum(spots, _soft_disc(np.hypot(dx - cx, dy - cy), SPOT))
    glare = rng.uniform(215, 245) - picture[window]
    light = rng.uniform(62, 84) * disc_area - float((spots * glare).sum())
    strength = light / float((shape * (1 - spots)).sum())
    picture[window] += shape * np.clip(strength, 50, 125) * (1 - spots) + glare * spots


def draw(rng: np.random.Generator, lesions: tuple[Lesion, ...]) -> Array:
    """The phantom as a (512, 512) uint8 array."""
    picture = _chest(rng)
    picture += _mottle(rng, 100, 7.0) + _mottle(rng, 22, 6.0)
    for lesion in lesions:
        _add_lesion(rng, picture, lesion)
    picture += rng.standard_normal((SIZE, SIZE), dtype=np.float32) * rng.uniform(2.5, 5)
    picture = (picture - 90) * rng.uniform(0.9, 1.1) + 90 + rng.uniform(-6, 6)
    return np.clip(picture, 0, 255).astype(np.uint8)


def place(rng: np.random.Generator, side: int, calcified: bool) -> Lesion:
    """A lesion in one lung (side -1: left of the picture, 1: right), clear of the picture's midlines."""
    half = 1 if rng.uniform() < 0.5 else -1
    diameter = float(rng.uniform(26, 30) if calcified else rng.uniform(22, 28))
    count = int(rng.integers(1, 5)) if calcified else 0
    return Lesion(
        x=float(256 + side * (106 + rng.uniform(-46, 46))),
        y=float(258 + half * rng.uniform(34, 128)),
        diameter=diameter,
        type="solid" if calcified else TYPES[int(rng.integers(len(TYPES)))],
        calcifications=tuple(_spread(rng, count, 0.32 * diameter, 8.5)),
    )
