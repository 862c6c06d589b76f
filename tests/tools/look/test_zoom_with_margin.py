"""zoom_with_margin: the box, its surroundings and its scale by hand; zoom_in's line in the prompt untouched."""

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Region
from tools.images.image import MedicalImage
from tools.look.zoom_in import zoom_in
from tools.look.zoom_with_margin import zoom_with_margin
from tools.signature import prompt_line


def look(image: MedicalImage, box: list[int], margin: int = 25, size: int = 512):
    return zoom_with_margin.apply({"image": 1, "box": box, "margin": margin, "size": size}, [image])


def test_a_margin_is_a_part_of_the_boxs_sides() -> None:
    image = MedicalImage(np.arange(999 * 999, dtype=np.float32).reshape(999, 999), spacing=(0.5, 0.5))
    # 200 x 100 pixels; half of it on each side: x 300..700, y 350..550, shown 800 wide: twice as large
    found = look(image, [400, 400, 600, 500], margin=50, size=800)
    (view,) = found.images
    assert view.size == (800, 400)
    assert found.regions == (Region(image=image.id, box=(300.0, 350.0, 700.0, 550.0)),)
    assert view.spacing == (0.25, 0.25)
    assert view.origin().box == (300.0, 350.0, 700.0, 550.0)
    # 100 of 400 from the left is 249.75 of 999, 300 of 400 is 749.25; 50 and 150 of 200 likewise
    assert "2 times its size; in the view the box is [250, 250, 749, 749]" in found.text


def test_an_edge_cuts_the_margin_and_depth_is_kept() -> None:
    image = MedicalImage(np.random.default_rng(0).integers(0, 60000, (200, 200)).astype(np.uint16))
    (view,) = look(image, [0, 0, 500, 500], margin=0, size=100).images
    assert view.pixels.dtype == np.uint16
    assert view.size == (100, 100)
    # 500 / 999 * 200 = 100.1, so 101 pixels
    assert view.origin().box == (0.0, 0.0, 101.0, 101.0)


def test_one_pixel_can_be_enlarged_but_no_area_cannot(noise: MedicalImage) -> None:
    dot = MedicalImage(np.array([[7]], np.uint8))
    assert (look(dot, [0, 0, 999, 999], size=64).images[0].pixels == np.full((64, 64), 7)).all()
    with pytest.raises(ToolRetry, match="no area"):
        look(noise, [5, 5, 5, 90])


def test_zoom_in_reads_as_policies_were_taught_it() -> None:
    assert prompt_line(zoom_in) == ("- zoom_in(image: int, box: [x1, y1, x2, y2]): Look closer at a box of an image.")
