"""Like a chest x-ray: dark lungs, bright mediastinum and spine, ribs, diaphragm; lesions are bright."""

import numpy as np

from rl.tasks.phantoms_plus.scene import Area, Array, Modality, between, ellipse, grain, grey, grid, mottle
from tools.images.image import MedicalImage

LUNGS: tuple[Area, Area] = ((0.29, 0.47, 0.17, 0.33), (0.71, 0.47, 0.17, 0.33))
SAFE: tuple[Area, Area] = ((0.29, 0.45, 0.10, 0.24), (0.71, 0.45, 0.10, 0.24))


def tissue(rng: np.random.Generator, size: int) -> Array:
    """Greys 0 to 255."""
    x, y = grid(size)
    values = np.float32(rng.uniform(135, 160)) + 14 * mottle(rng, size, 5)
    for area in LUNGS:
        values -= np.clip(ellipse(x, y, area) * 6, 0, 1) * np.float32(rng.uniform(75, 95))
    values += np.exp(-(((x - 0.5) / 0.05) ** 2)) * np.float32(rng.uniform(20, 35))
    heart: Area = (0.56, 0.62, 0.15, 0.17)
    values += np.clip(ellipse(x, y, heart) * 5, 0, 1) * np.float32(rng.uniform(20, 30))
    bow, pitch, phase = rng.uniform(0.5, 0.9), rng.uniform(0.085, 0.105), rng.uniform(0, 1)
    ribs = np.cos(2 * np.pi * ((y + np.float32(bow) * (x - 0.5) ** 2) / pitch + phase))
    values += np.clip(ribs - 0.5, 0, 1) * np.float32(rng.uniform(16, 28))
    return (values + 4 * mottle(rng, size, max(8, size // 8))).astype(np.float32)


def finish(rng: np.random.Generator, values: Array, spacing: float, difficulty: float) -> MedicalImage:
    """An 8-bit grey image."""
    noise = np.float32(between((3, 7), difficulty))
    return MedicalImage(grey(values + noise * grain(rng, values.shape[0])), spacing=(spacing, spacing))


XRAY = Modality("xray", tissue, SAFE, (75, 42), finish)
