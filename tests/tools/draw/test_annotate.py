"""annotate: the mark lies at its point and leaves the point free; labels must match."""

from pathlib import Path

import numpy as np
import pytest

from tools.draw.annotate import annotate
from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.drawing import COLOURS
from tools.images.image import MedicalImage
from tools.images.load import load_image


def draw(image: MedicalImage, points: list[list[int]], labels: list[str], mark: str = "arrow") -> Evidence:
    return annotate.apply({"image": 1, "points": points, "labels": labels, "mark": mark}, [image])


def square() -> MedicalImage:
    return MedicalImage(np.zeros((999, 999), np.uint8), spacing=(0.5, 0.5))


def test_a_circle_has_its_radius() -> None:
    found = draw(square(), [[400, 600]], [""], "circle")
    drawn = (found.images[0].pixels == COLOURS[0]).all(axis=2)
    rows, columns = np.nonzero(drawn)
    # 6 % of 999 is 60, the line 3 wide
    radii = np.hypot(rows - 600, columns - 400)
    assert radii.min() > 57 and radii.max() < 63
    assert found.regions[0].box == pytest.approx((400, 600, 400, 600))
    assert found.images[0].spacing == (0.5, 0.5)


@pytest.mark.parametrize("mark", ["arrow", "circle", "cross"])
@pytest.mark.parametrize("point", [[0, 0], [999, 999], [500, 200]])
def test_the_point_itself_stays_free(mark: str, point: list[int]) -> None:
    (view,) = draw(square(), [point], [""], mark).images
    x, y = min(point[0], 998), min(point[1], 998)
    assert not view.pixels[y, x].any()
    near = view.pixels[max(0, y - 90) : y + 90, max(0, x - 90) : x + 90]
    assert near.any()
    assert near.sum() == view.pixels.sum()


def test_labels_are_written_and_must_match() -> None:
    plain, labelled = (draw(square(), [[500, 500]], [label]).images[0] for label in ("", "tip"))
    assert (plain.pixels != labelled.pixels).any()
    assert draw(square(), [[1, 1], [5, 5]], ["a", "b"], "cross").text == "Image 1 with 2 crosses drawn."
    with pytest.raises(ToolRetry, match="1 points and 0 labels"):
        draw(square(), [[1, 1]], [])


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (40, 30, 3)])
def test_any_size_is_drawn_on(shape: tuple[int, ...]) -> None:
    assert draw(MedicalImage(np.zeros(shape, np.uint8)), [[0, 999]], ["\u809d x"]).images[0].pixels.ndim == 3


def test_a_real_x_ray(data: Path) -> None:
    x_ray = load_image(sorted((data / "cxr_lungs" / "images").iterdir())[0])
    (view,) = draw(x_ray, [[300, 300]], ["nodule?"]).images
    changed = (view.pixels != np.asarray(x_ray.display().convert("RGB"))).any(axis=2)
    assert 0 < changed.mean() < 0.05
