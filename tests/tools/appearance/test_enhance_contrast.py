"""enhance_contrast: more local contrast, order of grey kept within a tile, depth used, colours kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tools.appearance.enhance_contrast import enhance_contrast
from tools.errors import ToolFailed
from tools.images.image import MedicalImage
from tools.images.load import load_image


def enhance(image: MedicalImage, strength: float = 3) -> MedicalImage:
    return enhance_contrast.apply({"image": 1, "strength": strength}, [image]).images[0]


def test_a_real_x_ray_gains_local_contrast(data: Path) -> None:
    x_ray = load_image(sorted((data / "cxr_lungs" / "images").iterdir())[0])
    view = enhance(x_ray)
    assert view.size == x_ray.size

    def local(image: MedicalImage) -> float:
        grey = np.asarray(image.display().convert("L"), float)
        blocks = grey[: image.height // 32 * 32, : image.width // 32 * 32]
        return float(blocks.reshape(image.height // 32, 32, image.width // 32, 32).std(axis=(1, 3)).mean())

    assert local(view) > 1.3 * local(x_ray)


def test_sixteen_bits_show_what_eight_hide() -> None:
    # two textures that differ by less than one 8-bit step of the display window
    pixels = np.zeros((256, 256), np.uint16)
    pixels[:128] = 60000
    pixels[128:, ::2] = 100
    assert len(np.unique(np.asarray(MedicalImage(pixels).display())[128:])) == 1
    assert len(np.unique(enhance(MedicalImage(pixels)).pixels[192:])) == 2


def test_a_colour_image_stays_one() -> None:
    rng = np.random.default_rng(0)
    red = np.stack([rng.integers(100, 160, (80, 80)), np.full((80, 80), 20), np.full((80, 80), 20)], 2)
    view = enhance(MedicalImage(red.astype(np.uint8)))
    assert view.pixels.shape == (80, 80, 3)
    assert (view.pixels[..., 0] > view.pixels[..., 1]).mean() > 0.99


def test_two_pixels_work_and_none_that_differ_are_told() -> None:
    assert enhance(MedicalImage(np.array([[0, 255]], np.uint8))).size == (2, 1)
    with pytest.raises(ToolFailed, match="is 7 everywhere"):
        enhance(MedicalImage(np.full((5, 5), 7, np.uint8)))


def test_a_real_ultrasound_against_opencv(from_pydicom: Callable[[str], MedicalImage]) -> None:
    import cv2

    image = from_pydicom("image_dfl.dcm")
    assert (enhance(image, 3).pixels == cv2.createCLAHE(3, (8, 8)).apply(image.pixels)).all()
