"""Like stained tissue under a microscope, in colour: pink stroma, pale nuclei all over; the lesion is a dark body.

Values are optical density of the blue-violet stain; the eosin behind it follows from the noise, and both become light
by Beer and Lambert's law with the stain vectors of Ruifrok and Johnston (Anal. Quant. Cytol. Histol. 2001).
"""

import numpy as np

from rl.tasks.phantoms_plus.scene import Area, Array, Modality, between, grain, grey, mottle
from tools.images.image import MedicalImage

SAFE: tuple[Area, Area] = ((0.27, 0.5, 0.15, 0.36), (0.73, 0.5, 0.15, 0.36))
HAEMATOXYLIN, EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)
NUCLEI = 150


def tissue(rng: np.random.Generator, size: int) -> Array:
    """Optical density of the nuclear stain."""
    values = 0.10 + 0.03 * mottle(rng, size, 9)
    for _ in range(NUCLEI):
        x, y = rng.uniform(0, 1, 2)
        radius, flat, turn = rng.uniform(0.010, 0.016), rng.uniform(0.6, 1.0), rng.uniform(0, np.pi)
        left, top = (max(0, int((at - 0.03) * size)) for at in (x, y))
        right, bottom = (min(size, int((at + 0.03) * size) + 1) for at in (x, y))
        down, across = np.mgrid[top:bottom, left:right]
        dx, dy = (across + 0.5) / size - x, (down + 0.5) / size - y
        along, beside = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        inside = np.clip((1 - np.hypot(along / radius, beside / (radius * flat))) * 4, 0, 1)
        patch = values[top:bottom, left:right]
        values[top:bottom, left:right] = np.maximum(patch, inside * rng.uniform(0.35, 0.5))
    return values.astype(np.float32)


def finish(rng: np.random.Generator, values: Array, spacing: float, difficulty: float) -> MedicalImage:
    """An RGB image."""
    size = values.shape[0]
    eosin = np.clip(0.30 + 0.08 * mottle(rng, size, 14) + 0.05 * mottle(rng, size, 60), 0.05, 1)
    stain = np.clip(values + between((0.02, 0.05), difficulty) * grain(rng, size), 0, 2)
    light = [np.exp(-(stain * blue + eosin * pink) * 1.6) for blue, pink in zip(HAEMATOXYLIN, EOSIN, strict=True)]
    return MedicalImage(
        np.stack([grey(245 * each.astype(np.float32)) for each in light], axis=2), spacing=(spacing, spacing)
    )


MICROSCOPY = Modality("microscopy", tissue, SAFE, (0.95, 0.65), finish)
