"""texture: Haralick's features of a chessboard and of stripes by hand, of noise by theory."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.images.image import MedicalImage
from tools.measure.texture import LEVELS, haralick, texture


def test_stripes_by_hand() -> None:
    # columns 0, 15, 0, 15 ...: along rows every pair differs by 15 (contrast 225, correlation -1), along columns none
    # does (0, 1), along both diagonals all do: the mean contrast is 3 / 4 * 225, the correlation (-1 - 1 - 1 + 1) / 4
    stripes = np.tile(np.array([0, 15], np.float32), (100, 50))
    found = haralick(stripes, 1)
    assert found["contrast"] == pytest.approx(0.75 * 225)
    assert found["correlation"] == pytest.approx(-0.5, abs=0.01)
    # two kinds of pair, equally frequent, in each direction: 1 bit, energy sqrt(1/4 + 1/4)
    assert found["entropy"] == pytest.approx(1, abs=0.01)
    assert found["energy"] == pytest.approx(0.5**0.5, abs=0.01)
    # at distance 2 rows and columns meet their own grey again (1); the diagonals, a pixel over, do not: 1 / (1 + 225)
    assert haralick(stripes, 2)["homogeneity"] == pytest.approx((1 + 1 / 226) / 2)


def test_noise_by_theory() -> None:
    # independent uniform greys: E(i - j)^2 = 2 Var = 2 (16^2 - 1) / 12 = 42.5; no correlation; 2 * 4 bits
    found = haralick(np.random.default_rng(0).random((400, 400)).astype(np.float32), 1)
    assert found["contrast"] == pytest.approx((LEVELS**2 - 1) / 6, rel=0.02)
    assert found["correlation"] == pytest.approx(0, abs=0.02)
    assert found["entropy"] == pytest.approx(8, abs=0.02)


def test_the_call(noise: MedicalImage) -> None:
    found = texture.apply({"image": 1, "box": [100, 100, 300, 300], "distance": 1}, [noise])
    assert found.text.startswith("Texture of the box in image 1 at distance 1: contrast 4")
    assert [each.name for each in found.measurements] == ["contrast", "homogeneity", "energy", "correlation", "entropy"]


def test_sixteen_bits_colour_and_what_cannot_be_measured(noise: MedicalImage) -> None:
    deep = MedicalImage(noise.pixels.astype(np.uint16) * 200)
    box = {"image": 1, "box": [0, 0, 999, 999], "distance": 1}
    assert texture.apply(box, [deep]).measurements[0].value == pytest.approx(
        texture.apply(box, [noise]).measurements[0].value, rel=0.05
    )
    assert texture.apply(box, [MedicalImage(np.dstack([noise.pixels] * 3))]).measurements
    with pytest.raises(ToolRetry, match="sides longer than the distance"):
        texture.apply({**box, "box": [0, 0, 1, 1]}, [noise])
    with pytest.raises(ToolRetry, match="is 3 everywhere; choose one with some contrast"):
        texture.apply(box, [MedicalImage(np.full((9, 9), 3, np.uint8))])


def test_a_real_ct_against_counting_pairs(from_pydicom: Callable[[str], MedicalImage]) -> None:
    ct = from_pydicom("CT_small.dcm")
    found = texture.apply({"image": 1, "box": [250, 250, 500, 500], "distance": 1}, [ct]).measurements
    part = ct.pixels[32:65, 32:65].astype(float)
    levels = np.minimum((part - part.min()) / (part.max() - part.min()) * LEVELS, LEVELS - 1).astype(int)
    neighbours = [
        (levels[:, :-1], levels[:, 1:]),
        (levels[:-1], levels[1:]),
        (levels[:-1, :-1], levels[1:, 1:]),
        (levels[:-1, 1:], levels[1:, :-1]),
    ]
    contrast = np.mean([((first - second) ** 2).mean() for first, second in neighbours])
    assert {each.name: each.value for each in found}["contrast"] == pytest.approx(contrast)
