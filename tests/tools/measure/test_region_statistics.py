"""region_statistics: numbers by hand, on measured values, with the unit that the image has."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.measure.region_statistics import region_statistics


def measure(image: MedicalImage, box: list[int]) -> Evidence:
    return region_statistics.apply({"image": 1, "box": box}, [image])


def values(found: Evidence) -> dict[str, float]:
    return {each.name: each.value for each in found.measurements}


def test_by_hand() -> None:
    image = MedicalImage(np.array([[1, 3, 900], [5, 7, 900]], np.int16), spacing=(2.0, 0.5))
    # the left two columns: mean 4, deviations 3, 1, 1, 3: variance 5
    found = measure(image, [0, 0, 666, 999])
    assert values(found) == pytest.approx(
        {"mean": 4, "standard deviation": 5**0.5, "least": 1, "median": 4, "most": 7, "area": 4}
    )
    assert "4.0 mm2" in found.text
    assert "grey values (not calibrated)" in found.text
    assert found.images[0].size == image.size


def test_hounsfield_units_where_the_image_has_them() -> None:
    from tools.images.facts import Facts

    image = MedicalImage(np.full((4, 4), -1000, np.int16), facts=Facts(modality="CT", unit="HU"))
    found = measure(image, [0, 0, 999, 999])
    assert "mean -1000" in found.text and found.text.endswith("most -1000 HU.")
    assert found.measurements[0].unit == "HU"


def test_one_pixel_colour_and_what_is_no_number() -> None:
    colour = MedicalImage(np.full((8, 8, 3), (200, 100, 50), np.uint8))
    # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
    assert values(measure(colour, [1, 1, 2, 2]))["mean"] == pytest.approx(124.2, rel=1e-5)
    holes = MedicalImage(np.array([[np.nan, 2.0, 4.0, np.inf]], np.float32), spacing=(1.0, 1.0))
    found = values(measure(holes, [0, 0, 999, 999]))
    assert (found["mean"], found["least"], found["most"], found["area"]) == (3, 2, 4, 4)
    with pytest.raises(ToolRetry, match="holds no number"):
        measure(holes, [0, 0, 249, 999])
    with pytest.raises(ToolRetry, match="no area"):
        measure(colour, [5, 5, 5, 9])


def test_a_real_x_ray_against_numpy(data: Path) -> None:
    x_ray = load_image(sorted((data / "cxr_lungs" / "images").iterdir())[0])
    found = values(measure(x_ray, [0, 0, 999, 999]))
    grey = np.asarray(x_ray.display().convert("L"), float)
    assert found["mean"] == pytest.approx(grey.mean(), abs=0.5)
    assert found["standard deviation"] == pytest.approx(grey.std(), abs=0.5)


def test_a_real_ct_in_hounsfield_units_against_simpleitk(from_pydicom: Callable[[str], MedicalImage]) -> None:
    import SimpleITK

    ct = from_pydicom("CT_small.dcm")
    found = measure(ct, [250, 250, 500, 500])
    # 250 / 999 * 128 = 32.03 and 500 / 999 * 128 = 64.06: pixels 32 to 64
    theirs = SimpleITK.StatisticsImageFilter()
    theirs.Execute(SimpleITK.GetImageFromArray(ct.pixels[32:65, 32:65].astype(np.float64)))
    assert values(found)["mean"] == pytest.approx(theirs.GetMean())
    assert values(found)["least"] == theirs.GetMinimum()
    assert values(found)["standard deviation"] == pytest.approx(theirs.GetSigma() * (1 - 1 / 33**2) ** 0.5)
    assert values(found)["area"] == pytest.approx(33**2 * 0.661468**2)
    assert found.measurements[0].unit == "HU"
