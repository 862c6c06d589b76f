"""mark_regions: the outline where it was asked for, nothing else touched, the boxes as data."""

from pathlib import Path

import numpy as np
import pytest

from tools.draw.mark_regions import COLOURS, mark_regions
from tools.errors import ToolRetry
from tools.evidence import Evidence, Region
from tools.images.image import MedicalImage
from tools.images.load import load_image


def mark(image: MedicalImage, boxes: list[list[int]], labels: list[str]) -> Evidence:
    return mark_regions.apply({"image": 1, "boxes": boxes, "labels": labels}, [image])


def test_the_outline_lies_inside_the_box() -> None:
    black = MedicalImage(np.zeros((999, 999), np.uint8), spacing=(0.5, 0.5))
    found = mark(black, [[100, 200, 300, 400]], [""])
    (view,) = found.images
    drawn = (view.pixels == COLOURS[0]).all(axis=2)
    # 999 / 200 = 5 pixels wide: columns 100..104 and 295..299, rows 200..204 and 395..399
    expected = np.zeros((999, 999), bool)
    expected[200:400, 100:300] = True
    expected[205:395, 105:295] = False
    assert (drawn == expected).all()
    assert (view.pixels[~expected] == 0).all()
    assert found.text == "Image 1 with 1 box drawn."
    assert found.regions == (Region(image=black.id, box=(100.0, 200.0, 300.0, 400.0), label=""),)
    assert view.spacing == (0.5, 0.5)


def test_labels_are_written_above_or_inside_at_the_top() -> None:
    grey = MedicalImage(np.full((400, 400), 90, np.uint8))

    def changed_rows(box: list[int]) -> np.ndarray:
        labelled, plain = (mark(grey, [box], [label]).images[0].pixels for label in ("cyst", ""))
        return np.nonzero((labelled != plain).any(axis=(1, 2)))[0]

    above = changed_rows([250, 500, 750, 900])  # the box begins at row 200
    assert 170 < above.min() < above.max() < 200
    inside = changed_rows([250, 0, 750, 400])
    assert 0 < inside.min() < inside.max() < 30


def test_several_boxes_have_their_own_colours_and_the_image_stays(noise: MedicalImage) -> None:
    before = noise.id
    found = mark(noise, [[0, 0, 300, 300], [500, 500, 999, 999]], ["a", "b"])
    (view,) = found.images
    assert tuple(view.pixels[75, 0]) == COLOURS[0]
    assert tuple(view.pixels[400, 511]) == COLOURS[1]
    assert [each.label for each in found.regions] == ["a", "b"]
    assert found.text == "Image 1 with 2 boxes drawn."
    assert MedicalImage(noise.pixels).id == before


@pytest.mark.parametrize("label", ["\u809d\u810f", "\U0001fac1", "two\nlines", "x" * 40, " "])
@pytest.mark.parametrize("size", [(1, 1), (20, 3), (300, 200)])
def test_any_label_on_any_size_is_drawn(label: str, size: tuple[int, int]) -> None:
    image = MedicalImage(np.zeros(size, np.uint16))
    assert mark(image, [[0, 0, 999, 999]], [label]).images[0].pixels.shape == (*size, 3)


def test_labels_must_match_and_boxes_have_area(noise: MedicalImage) -> None:
    with pytest.raises(ToolRetry, match="1 boxes and 2 labels"):
        mark(noise, [[0, 0, 9, 9]], ["a", "b"])
    with pytest.raises(ToolRetry, match="no area"):
        mark(noise, [[5, 0, 5, 9]], ["a"])


def test_a_box_on_a_view_is_told_in_the_original(noise: MedicalImage) -> None:
    view = noise.crop((100, 200, 300, 400))
    found = mark(view, [[0, 0, 999, 999]], ["all"])
    assert found.regions == (Region(image=noise.id, box=(100.0, 200.0, 300.0, 400.0), label="all"),)


def test_a_real_x_ray(data: Path) -> None:
    x_ray = load_image(sorted((data / "cxr_lungs" / "images").iterdir())[0])
    (view,) = mark(x_ray, [[100, 100, 450, 900]], ["right lung"]).images
    assert view.size == x_ray.size
    width, height = x_ray.size
    middle = view.pixels[height // 2, width // 4]  # inside the box, away from its outline
    assert (middle == x_ray.pixels[height // 2, width // 4]).all()
