"""zoom_in: exactly these source pixels, said in the original's coordinates."""

from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence, Region
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.look.zoom_in import zoom_in


def look(image: MedicalImage, *box: int) -> Evidence:
    return zoom_in.apply({"image": 1, "box": list(box)}, [image])


def test_a_box_is_shown_as_the_square_around_it(noise: MedicalImage) -> None:
    # x 61.50 .. 215.26, 154 wide; y 174.25 .. 312.63, 138 high: a square of 154 around (138.4, 243.4)
    found = look(noise, 120, 340, 420, 610)
    (view,) = found.images
    assert found.text == "Closer view of image 1."
    assert (view.pixels == noise.pixels[166:320, 61:215]).all()
    assert view.origin().box == (61.0, 166.0, 215.0, 320.0)
    assert found.regions == (Region(image=noise.id, box=(61.0, 166.0, 215.0, 320.0)),)


def test_a_margin_is_a_part_of_the_boxs_sides_and_a_size_enlarges() -> None:
    image = MedicalImage(np.arange(999 * 999, dtype=np.float32).reshape(999, 999), spacing=(0.5, 0.5))
    # 200 x 100 pixels; half of it on each side: x 300..700, y 350..550, the square around it y 250..650
    found = zoom_in.apply({"image": 1, "box": [400, 400, 600, 500], "margin": 50, "size": 800}, [image])
    (view,) = found.images
    assert view.size == (800, 800)
    assert found.regions == (Region(image=image.id, box=(300.0, 250.0, 700.0, 650.0)),)
    assert view.origin().box == (300.0, 250.0, 700.0, 650.0)
    assert view.spacing == (0.25, 0.25)  # twice as large
    assert view.pixels.dtype == np.float32


def test_an_edge_shifts_the_margin_and_a_narrow_image_keeps_its_aspect() -> None:
    narrow = MedicalImage(np.random.default_rng(0).integers(0, 60000, (200, 50)).astype(np.uint16))
    found = zoom_in.apply({"image": 1, "box": [0, 0, 999, 500], "margin": 100, "size": 400}, [narrow])
    (view,) = found.images
    # 50 x 100.1 pixels and as much on each side is 300 high: all of the image
    assert found.regions[0].box == (0.0, 0.0, 50.0, 200.0)
    assert (view.size, view.pixels.dtype) == ((100, 400), np.dtype(np.uint16))


def test_inverted_corners_mean_the_same_box(noise: MedicalImage) -> None:
    assert look(noise, 420, 610, 120, 340).images[0].id == look(noise, 120, 340, 420, 610).images[0].id


def test_a_tiny_box_in_the_corner_shows_32_pixels_inside_the_image(noise: MedicalImage) -> None:
    (view,) = look(noise, 990, 990, 999, 999).images
    assert (view.pixels == noise.pixels[480:, 480:]).all()


def test_an_image_smaller_than_the_square_is_spanned() -> None:
    narrow = MedicalImage(np.arange(2000, dtype=np.uint16).reshape(100, 20))
    (view,) = look(narrow, 0, 0, 999, 100).images
    assert (view.pixels == narrow.pixels[:32]).all()


@pytest.mark.parametrize("box", [(5, 5, 5, 900), (5, 7, 900, 7), (0, 0, 0, 0)])
def test_a_box_without_area_is_sent_back(noise: MedicalImage, box: tuple[int, ...]) -> None:
    with pytest.raises(ToolRetry, match=r"no area; expected \[x1, y1, x2, y2\]"):
        look(noise, *box)


def test_depth_and_spacing_are_kept_so_the_view_can_be_measured(ct: MedicalImage) -> None:
    (view,) = look(ct, 0, 0, 500, 999).images
    assert view.pixels.dtype == np.int16
    assert view.spacing == (0.5, 0.25)


def test_a_view_of_a_view_is_told_in_the_original(noise: MedicalImage) -> None:
    (first,) = look(noise, 0, 0, 499, 499).images  # 255.74 px -> 256: (0, 0, 256, 256)
    found = look(first, 500, 500, 999, 999)  # 128.13 .. 256 of 256: 128 px from 128
    assert found.regions[0] == Region(image=noise.id, box=(128.0, 128.0, 256.0, 256.0))
    assert (found.images[0].pixels == noise.pixels[128:256, 128:256]).all()


def test_a_real_smear(data: Path) -> None:
    smear = load_image(sorted((data / "bccd" / "images").glob("*.jpg"))[0])
    # 640 x 480: x 0 .. 160.2, y 360.4 .. 480 (750 / 999 * 480 = 360.36): a square of 160 from (0, 320)
    (view,) = look(smear, 0, 750, 250, 999).images
    assert view.origin().box == (0.0, 320.0, 160.0, 480.0)
    assert (view.pixels == smear.pixels[320:480, 0:160]).all()
