"""What a phantom shows: lesions that a thumbnail cannot tell apart, and calcifications that can be counted."""

import math

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from rl.tasks.phantoms import image
from rl.tasks.phantoms.image import SIZE, TYPES, Lesion, draw, place

DRAWN = 60


def bare(seed: int, type: str, calcifications: int = 0) -> tuple[np.ndarray, Lesion]:
    """One lesion on black: no chest, no noise."""
    rng = np.random.default_rng(seed)
    diameter = float(rng.uniform(26, 30))
    spots = tuple(image._spread(rng, calcifications, 0.32 * diameter, 8.5))
    lesion = Lesion(200.3, 180.7, diameter, type, spots)
    picture = np.zeros((SIZE, SIZE), np.float32)
    image._add_lesion(rng, picture, lesion)
    return picture, lesion


@pytest.mark.parametrize("type", TYPES)
def test_every_type_adds_the_same_light_to_a_thumbnail(type: str) -> None:
    light = []
    for seed in range(DRAWN):
        picture, lesion = bare(seed, type)
        light.append(float(picture.sum()) / (math.pi * (lesion.diameter / 2) ** 2))
    assert min(light) > 61.9 and max(light) < 84.1  # grey values per pixel of a full disc: drawn from 62 to 84
    assert np.mean(light) == pytest.approx(73, rel=0.05)  # their mean, whatever the type


@pytest.mark.parametrize("count", [1, 4])
def test_calcifications_add_no_light_to_a_thumbnail(count: int) -> None:
    light = []
    for seed in range(DRAWN):
        picture, lesion = bare(seed, "solid", count)
        light.append(float(picture.sum()) / (math.pi * (lesion.diameter / 2) ** 2))
    assert np.mean(light) == pytest.approx(73, rel=0.05)


def test_in_a_thumbnails_pixels_two_types_are_nearly_the_same() -> None:
    def thumbnail(type: str) -> np.ndarray:
        shown = Image.fromarray(np.mean([bare(seed, type)[0] for seed in range(DRAWN)], axis=0))
        return np.asarray(shown.resize((112, 112), Image.Resampling.BICUBIC))[32:48, 36:52]

    mean = {type: float(thumbnail(type).sum()) for type in TYPES}
    assert max(mean.values()) / min(mean.values()) < 1.05


@pytest.mark.parametrize("type", TYPES)
def test_a_lesion_lies_in_its_box(type: str) -> None:
    for seed in range(10):
        picture, lesion = bare(seed, type)
        x1, y1, x2, y2 = (round(value) for value in lesion.box)
        assert picture[y1 : y2 + 1, x1 : x2 + 1].sum() > 0.95 * picture.sum()


def test_types_differ_where_a_zoom_shows_them() -> None:
    centres = {type: bare(1, type)[0][180, 200] for type in TYPES}
    assert centres["cystic"] == 0  # a ring
    assert centres["solid"] > 50


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_as_many_calcifications_are_drawn_as_are_said(count: int) -> None:
    for seed in range(15):
        picture, _ = bare(seed, "solid", count)
        spots, found = ndimage.label(picture > 170)  # the lesion's own body stays under 126
        assert found == count, f"seed {seed}"
        assert min(ndimage.sum_labels(np.ones_like(picture), spots, range(1, count + 1))) >= 8  # no broken crumbs


def test_a_phantom_follows_from_its_seed() -> None:
    lesion = Lesion(150, 200, 24, "cystic", ())
    first, again, other = (draw(np.random.default_rng(seed), (lesion,)) for seed in (3, 3, 4))
    assert first.shape == (512, 512) and first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_lesions_are_placed_in_their_lung_and_clear_of_the_midlines() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        left, right = place(rng, -1, calcified=False), place(rng, 1, calcified=True)
        assert left.x + 24 < 256 < right.x - 24
        assert all(abs(lesion.y - 256) > 24 for lesion in (left, right))
        assert not left.calcifications and 1 <= len(right.calcifications) <= 4
        assert right.type == "solid" and left.type in TYPES
        # the square in which a lesion is drawn lies inside the picture
        assert all(24 <= value <= SIZE - 24 for lesion in (left, right) for value in (lesion.x, lesion.y))
