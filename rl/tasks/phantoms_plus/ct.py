"""Like an axial CT of the abdomen in Hounsfield units: air, fat, muscle, liver, spleen, spine; lesions are less
dense.

Values are those of the tissues (air -1000, fat -100, muscle 50, liver 60, bone 700 HU), 16-bit, with a unit and a
display window, so that window tools mean what they do on a scanner.
"""

import numpy as np
from numpy.typing import NDArray

from rl.tasks.phantoms_plus.scene import Area, Array, Modality, between, ellipse, grain, grid, mottle
from tools.images.facts import Facts
from tools.images.image import MedicalImage

BODY: Area = (0.5, 0.52, 0.44, 0.36)
ORGANS: tuple[Area, Area] = ((0.31, 0.48, 0.20, 0.23), (0.70, 0.50, 0.17, 0.20))
SAFE: tuple[Area, Area] = ((0.30, 0.48, 0.12, 0.15), (0.70, 0.50, 0.10, 0.13))
SHOWN = (50.0, 400.0)
"""Window in which lesions show."""
BONES = (700.0, 1000.0)
"""Window in which they do not: all below 200 HU is black, lesions and what is around them too."""
FACTS = Facts(modality="CT", unit="HU")


def tissue(rng: np.random.Generator, size: int) -> Array:
    """Hounsfield units."""
    x, y = grid(size)
    body = ellipse(x, y, BODY)
    values = np.full((size, size), -1000, np.float32)
    values = np.where(body > 0, np.float32(-100), values)
    values = np.where(body > 0.12, 50 + 10 * mottle(rng, size, 7), values)
    values = np.where(body > 0.2, np.float32(rng.uniform(-110, -80)) + 8 * mottle(rng, size, 6), values)
    for area in ORGANS:
        jitter: Area = (area[0] + float(rng.uniform(-0.01, 0.01)), area[1], area[2], area[3])
        edge = ellipse(x, y, jitter) + 0.05 * mottle(rng, size, 5)
        values = np.where((edge > 0) & (body > 0.14), np.float32(rng.uniform(95, 115)), values)
    for area, hounsfield in (
        ((0.5, 0.70, 0.065, 0.06), 700.0),
        ((0.5, 0.72, 0.026, 0.022), 30.0),
        ((0.47, 0.60, 0.024, 0.024), 190.0),
    ):
        values = np.where(ellipse(x, y, area) > 0, np.float32(hounsfield), values)
    angle = np.arctan2(y - BODY[1], x - BODY[0])
    ribs = (body > 0.13) & (body < 0.18) & (np.cos(9 * angle + np.float32(rng.uniform(0, 6))) > 0.55)
    return np.where(ribs, np.float32(600), values).astype(np.float32)


def noisy(rng: np.random.Generator, values: Array, difficulty: float) -> NDArray[np.int16]:
    """16-bit values with the noise of a scanner, which the reconstruction has smoothed a little."""
    size = values.shape[0]
    noise = 0.8 * grain(rng, size) + 0.6 * mottle(rng, size, max(8, size // 3))
    return np.clip(np.rint(values + between((8, 16), difficulty) * noise), -1024, 3071).astype(np.int16)


def finish(rng: np.random.Generator, values: Array, spacing: float, difficulty: float) -> MedicalImage:
    """A 16-bit image in HU, shown in a soft-tissue window."""
    return MedicalImage(noisy(rng, values, difficulty), spacing=(spacing, spacing), window=SHOWN, facts=FACTS)


CT = Modality("ct", tissue, SAFE, (-90, -55), finish)
