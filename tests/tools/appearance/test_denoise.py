"""denoise: noise of a known strength is estimated and taken away, edges and depth stay."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.appearance.denoise import denoise, noise
from tools.errors import ToolFailed
from tools.evidence import Evidence
from tools.images.image import MedicalImage


def clean(image: MedicalImage, method: str = "edge_preserving", radius: int = 2) -> Evidence:
    return denoise.apply({"image": 1, "method": method, "radius": radius}, [image])


def step(sigma: float, dtype: type = np.int16) -> MedicalImage:
    """0 left and 1000 right, with Gaussian noise."""
    pixels = np.zeros((200, 200))
    pixels[:, 100:] = 1000
    pixels += np.random.default_rng(0).normal(0, sigma, pixels.shape) if sigma else 0
    return MedicalImage(np.rint(pixels).astype(dtype), spacing=(1.0, 1.0))


def test_the_noise_is_estimated_as_it_was_made() -> None:
    assert noise(step(20).pixels.astype(np.float32)) == pytest.approx(20, rel=0.05)
    assert noise(step(0).pixels.astype(np.float32)) == pytest.approx(0, abs=1e-6)


def test_grain_goes_and_the_edge_stays() -> None:
    found = clean(step(20))
    (view,) = found.images
    before, after = (each.value for each in found.measurements)
    assert after < before / 2
    assert view.pixels.dtype == np.int16
    assert view.spacing == (1.0, 1.0)
    # the step of 1000 lies between the same two pixels
    assert view.pixels[:, 99].max() < 200
    assert view.pixels[:, 100].min() > 800


def test_the_median_takes_out_single_pixels() -> None:
    pixels = np.full((9, 9), 50, np.uint8)
    pixels[4, 4] = 255
    (view,) = clean(MedicalImage(pixels), "median", 1).images
    assert (view.pixels == 50).all()


@pytest.mark.parametrize("method", ["median", "edge_preserving"])
def test_colour_and_constant_images_work(method: str) -> None:
    colour = MedicalImage(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    assert clean(colour, method).images[0].pixels.shape == (20, 30, 3)
    constant = MedicalImage(np.full((5, 5), 3.5, np.float32))
    assert (clean(constant, method).images[0].pixels == 3.5).all()


def test_a_tiny_image_says_so() -> None:
    with pytest.raises(ToolFailed, match="2 x 2 pixels, expected at least 3 a side"):
        clean(MedicalImage(np.zeros((2, 2), np.uint8)))


def test_a_real_mr_against_simpleitk(from_pydicom: Callable[[str], MedicalImage]) -> None:
    import SimpleITK

    brain = from_pydicom("MR_small.dcm")
    found = clean(brain, "median", 2)
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.Median(SimpleITK.GetImageFromArray(brain.pixels), [2, 2]))
    assert (found.images[0].pixels[2:-2, 2:-2] == theirs[2:-2, 2:-2]).all()
    before, after = (each.value for each in found.measurements)
    assert after < before / 2
