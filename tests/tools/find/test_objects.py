"""objects: polarity, cores within cells, touching disks parted: on drawn pictures whose count is known."""

import numpy as np
import pytest

from tools.find.objects import likely_kind, otsu, parted, plane, separated, usual_radius, without_dust
from tools.images.image import MedicalImage


def disks(places: list[tuple[int, int]], radius: int, size: int = 200) -> np.ndarray:
    row, column = np.mgrid[0:size, 0:size]
    return np.any([(row - y) ** 2 + (column - x) ** 2 <= radius**2 for x, y in places], axis=0)


def test_the_kind_follows_the_background() -> None:
    mask = disks([(50, 50), (120, 120)], 15)
    assert likely_kind(MedicalImage(np.where(mask, 200, 10).astype(np.uint8))) == "bright"
    assert likely_kind(MedicalImage(np.where(mask, 20, 220).astype(np.uint8))) == "dark"
    colour = np.where(mask[..., None], (90, 40, 140), (230, 220, 235)).astype(np.uint8)
    assert likely_kind(MedicalImage(colour)) == "dark"
    cells = np.where(disks([(50, 50), (120, 120)], 30), 150, 220)
    cells[mask] = 60
    assert likely_kind(MedicalImage(cells.astype(np.uint8))) == "dark_cores"


def test_dark_cores_are_found_within_cells_of_any_grey() -> None:
    cells = np.full((200, 200), 230)
    for place, cytoplasm, nucleus in (((40, 40), 190, 120), ((130, 60), 140, 60), ((90, 150), 170, 90)):
        cells[disks([place], 28)] = cytoplasm
        cells[disks([place], 6)] = nucleus
    labels = parted(MedicalImage(cells.astype(np.uint8)), "dark_cores")
    assert labels.max() == 3
    assert np.bincount(labels.ravel())[1:] == pytest.approx([np.pi * 36] * 3, rel=0.5)


@pytest.mark.parametrize("gap", [1.7, 1.5])
def test_touching_disks_are_parted(gap: float) -> None:
    radius = 15
    mask = disks([(60, 60), (60 + int(gap * radius), 60), (150, 150)], radius)
    assert parted(MedicalImage(np.where(mask, 200, 10).astype(np.uint8)), "bright").max() == 3
    assert separated(mask, "dark", np.zeros(mask.shape, np.float32)).max() == 3


def test_the_usual_radius_and_dust() -> None:
    assert usual_radius(disks([(50, 50), (150, 150)], 20), 15) == pytest.approx(20, abs=1)
    labels = np.zeros((20, 20), np.int32)
    labels[0:5, 0:5], labels[10, 10], labels[12:16, 12:18] = 1, 2, 3
    kept = without_dust(labels, 3, 0.1)
    assert np.bincount(kept.ravel()).tolist() == [400 - 25 - 24, 25, 24]


BRIGHT = [(30, 30), (30, 90), (40, 150), (90, 170), (150, 160), (170, 100)]


def glowing(dim: list[tuple[int, int]]) -> np.ndarray:
    """Bright nuclei of radius 8 (220) and dim ones (75) on a ground of 10, as blurred as a microscope shows them."""
    from scipy import ndimage

    sharp = np.where(disks(BRIGHT, 8), 220.0, np.where(disks(dim, 8), 75.0, 10.0))
    return ndimage.gaussian_filter(sharp, 1.5) + np.random.default_rng(0).normal(0, 1, sharp.shape)


def test_dim_nuclei_are_counted_with_bright_ones() -> None:
    dim = [(90, 40), (150, 40), (100, 100), (47, 107)]  # the last one touches a bright one
    image = MedicalImage(np.clip(np.rint(glowing(dim)), 0, 255).astype(np.uint8))
    assert otsu(plane(image, True)) > 80  # the usual threshold misses them
    assert parted(image, "bright").max() == 10


def test_haze_and_dim_specks_are_not_counted() -> None:
    row, column = np.mgrid[0:200, 0:200]
    haze = 90 * np.exp(-((row - 110) ** 2 + (column - 60) ** 2) / (2 * 35**2))
    specks = np.where(disks([(130, 130), (20, 180)], 2), 60.0, 0.0)
    for added in (haze, specks):
        image = MedicalImage(np.clip(np.rint(glowing([]) + added), 0, 255).astype(np.uint8))
        assert parted(image, "bright").max() == 6
