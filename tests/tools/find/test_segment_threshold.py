"""segment_threshold: two and three greys by hand, thresholds between them."""

from collections.abc import Callable

import numpy as np
import pytest

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.find.segment_threshold import segment_threshold
from tools.images.image import MedicalImage


def part(image: MedicalImage, classes: int = 2, box: list[int] | None = None) -> Evidence:
    return segment_threshold.apply({"image": 1, "classes": classes, "box": box}, [image])


def numbers(found: Evidence) -> dict[str, float]:
    return {each.name: each.value for each in found.measurements}


def three(scale: float = 1, dtype: type = np.uint8) -> MedicalImage:
    """A half of 50, three tenths of 120, two tenths of 220, with a little noise."""
    pixels = np.full((100, 100), 50.0)
    pixels[50:80], pixels[80:] = 120, 220
    return MedicalImage(((pixels + np.random.default_rng(0).normal(0, 4, (100, 100))) * scale).astype(dtype))


def test_two_classes() -> None:
    found = numbers(part(three()))
    assert 60 < found["threshold 1"] < 210
    assert found["share of class 1"] + found["share of class 2"] == pytest.approx(100)


@pytest.mark.parametrize("image", [three(), three(200, np.uint16), MedicalImage(np.dstack([three().pixels] * 3))])
def test_three_classes(image: MedicalImage) -> None:
    found = part(image, 3)
    shares = [numbers(found)[f"share of class {number}"] for number in (1, 2, 3)]
    assert shares == pytest.approx([50, 30, 20], abs=0.5)
    (view,) = found.images
    # the darkest class stays grey, the others are coloured
    assert (np.ptp(view.pixels[10, 10].astype(int)) == 0) and np.ptp(view.pixels[60, 10].astype(int)) > 20


def test_exactly_as_many_values_as_classes() -> None:
    image = MedicalImage(np.repeat(np.array([[1, 5, 9]], np.int16), 4, axis=0))
    assert numbers(part(image, 3))["share of class 2"] == pytest.approx(100 / 3)


def test_a_box_and_what_cannot_be_parted() -> None:
    found = part(three(), 2, [0, 0, 999, 790])
    assert numbers(found)["share of class 2"] == pytest.approx(100 * 29 / 79, abs=2)
    flat = MedicalImage(np.zeros((9, 9), np.uint8))
    with pytest.raises(ToolFailed, match="everywhere"):
        part(flat)
    with pytest.raises(ToolRetry, match="fewer classes"):
        part(MedicalImage(np.array([[0, 1]], np.uint8)), 3)


def test_real_greys_against_simpleitk(from_pydicom: Callable[[str], MedicalImage]) -> None:
    import SimpleITK

    image = from_pydicom("image_dfl.dcm")
    otsu = SimpleITK.OtsuThresholdImageFilter()
    otsu.SetNumberOfHistogramBins(256)
    theirs = SimpleITK.GetArrayFromImage(otsu.Execute(SimpleITK.GetImageFromArray(image.pixels)))
    found = numbers(part(image))
    assert found["threshold 1"] == pytest.approx(otsu.GetThreshold(), abs=1)
    assert found["share of class 2"] == pytest.approx(100 * float((theirs == 0).mean()), abs=0.5)
