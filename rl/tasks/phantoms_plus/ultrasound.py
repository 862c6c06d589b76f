"""Like an ultrasound picture: a fan of speckle on black, layers, attenuation with depth; lesions are dark.

Speckle is a Rayleigh-distributed amplitude (Burckhardt, IEEE Trans. Sonics Ultrason. 1978), shown by its logarithm.
"""

import numpy as np

from rl.tasks.phantoms_plus.scene import Area, Array, Modality, between, grey, grid, mottle
from tools.images.image import MedicalImage

SAFE: tuple[Area, Area] = ((0.33, 0.52, 0.11, 0.22), (0.67, 0.52, 0.11, 0.22))
APEX = (0.5, -0.12)
OPENING, NEAR, FAR = 0.72, 0.22, 1.06
"""Half the fan's angle in radians, and the distances of its ends from the apex."""


def tissue(rng: np.random.Generator, size: int) -> Array:
    """Greys 0 to 255 before speckle."""
    x, y = grid(size)
    depth = np.hypot(x - APEX[0], y - APEX[1])
    values = np.float32(rng.uniform(118, 138)) + 16 * mottle(rng, size, 6)
    for at, light in ((0.27, 55), (0.33, -25), (0.38, 40)):
        wave = np.float32(at) + 0.006 * mottle(rng, size, 5)
        values += np.float32(light) * np.exp(-(((depth - wave) / 0.012) ** 2))
    return (values - 45 * (depth - 0.45)).astype(np.float32)


def finish(rng: np.random.Generator, values: Array, spacing: float, difficulty: float) -> MedicalImage:
    """An 8-bit grey image: the fan with speckle, black around it."""
    size = values.shape[0]
    x, y = grid(size)
    real, imaginary = mottle(rng, size, max(8, size // 3)), mottle(rng, size, max(8, size // 3))
    amplitude = np.hypot(real, imaginary)
    shown = values + between((16, 26), difficulty) * np.clip(np.log(amplitude + 0.05), -2.5, 1.2)
    depth, angle = np.hypot(x - APEX[0], y - APEX[1]), np.arctan2(x - APEX[0], y - APEX[1])
    fan = (np.abs(angle) < OPENING) & (depth > NEAR) & (depth < FAR)
    return MedicalImage(grey(np.where(fan, np.maximum(shown, 6), 0)), spacing=(spacing, spacing))


ULTRASOUND = Modality("ultrasound", tissue, SAFE, (-105, -80), finish)
