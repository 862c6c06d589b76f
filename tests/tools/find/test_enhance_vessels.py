"""enhance_vessels: a line is shown, a disk and the wrong brightness are not."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolFailed, ToolRetry
from tools.find.enhance_vessels import enhance_vessels
from tools.images.image import MedicalImage


def enhance(image: MedicalImage, vessels: str = "bright", narrowest: int = 2, widest: int = 8) -> np.ndarray:
    arguments = {"image": 1, "vessels": vessels, "narrowest": narrowest, "widest": widest}
    return enhance_vessels.apply(arguments, [image]).images[0].pixels


def line_and_disk(line: int, ground: int, dtype: type = np.uint8) -> np.ndarray:
    pixels = np.full((200, 200), ground, dtype)
    pixels[48:53, 10:190] = line
    row, column = np.mgrid[0:200, 0:200]
    pixels[(row - 130) ** 2 + (column - 100) ** 2 <= 40**2] = line
    return pixels


@pytest.mark.parametrize(
    ("image", "vessels"),
    [
        (MedicalImage(line_and_disk(200, 50)), "bright"),
        (MedicalImage(line_and_disk(50, 200)), "dark"),
        (MedicalImage(line_and_disk(40000, 10000, np.uint16)), "bright"),
        (MedicalImage(np.dstack([line_and_disk(200, 50)] * 3)), "bright"),
    ],
)
def test_the_line_and_not_the_disk(image: MedicalImage, vessels: str) -> None:
    found = enhance(image, vessels).astype(int)
    assert found[50, 30:170].min() > 150
    assert found[130, 100] < 20
    assert found[5, 5] < 20


def test_wrong_widths_and_tiny_images() -> None:
    with pytest.raises(ToolRetry, match="the other way"):
        enhance(MedicalImage(line_and_disk(1, 0)), narrowest=5, widest=4)
    with pytest.raises(ToolFailed, match="at least 8 a side"):
        enhance(MedicalImage(np.array([[0, 1]], np.uint8)))
    with pytest.raises(ToolFailed, match="everywhere"):
        enhance(MedicalImage(np.zeros((20, 20), np.uint8)))


def test_a_real_retina_against_a_black_hat(from_skimage: Callable[[str], MedicalImage]) -> None:
    import cv2

    retina = from_skimage("retina.jpg").crop((400, 400, 1000, 1000))
    green = np.ascontiguousarray(retina.pixels[:, :, 1])
    # what a disk of 15 pixels closes is dark and narrow: another way to find vessels
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    hat = cv2.GaussianBlur(cv2.morphologyEx(green, cv2.MORPH_BLACKHAT, disk), (0, 0), 1.5)
    vessels = hat >= np.quantile(hat, 0.95)
    answer = enhance(retina, "dark", 3, 12).astype(float)
    assert answer[vessels].mean() > 3 * answer[~vessels].mean()
