"""mirror_compare: a symmetric image shows the same twice; the counterpart lies where it is by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import ImageOps

from tools.errors import ToolRetry
from tools.evidence import Region
from tools.images.image import MedicalImage
from tools.images.side_by_side import GAP
from tools.look.mirror_compare import mirror_compare


def compare(image: MedicalImage, box: list[int], midline: int | None = None):
    return mirror_compare.apply({"image": 1, "box": box, "midline": midline}, [image])


def test_a_symmetric_image_shows_the_same_twice() -> None:
    half = np.random.default_rng(0).integers(0, 256, (100, 50), dtype=np.uint8)
    image = MedicalImage(np.concatenate([half, half[:, ::-1]], axis=1))
    (view,) = compare(image, [100, 100, 400, 900]).images
    width = (view.width - GAP) // 2
    assert (view.pixels[:, :width] == view.pixels[:, width + GAP :]).all()


def test_the_counterpart_by_hand() -> None:
    image = MedicalImage(np.zeros((999, 999), np.uint8))
    # x 100..300 across 400: 500..700
    found = compare(image, [100, 0, 300, 999], midline=400)
    assert found.regions[1] == Region(image=image.id, box=(500.0, 0.0, 700.0, 999.0), label="counterpart")


def test_a_counterpart_outside_is_sent_back(noise: MedicalImage) -> None:
    with pytest.raises(ToolRetry, match="outside the image"):
        compare(noise, [900, 0, 999, 99], midline=200)


def test_a_real_mr_against_pillow(from_pydicom: Callable[[str], MedicalImage]) -> None:
    scan = from_pydicom("examples_overlay.dcm")  # 484 x 300
    (view,) = compare(scan, [100, 200, 400, 700]).images
    # x 48.4..193.8, so 48..194, and 290..436 on the other side; y 60.06..210.2, so 60..211
    width = 194 - 48
    assert view.size == (2 * width + GAP, 211 - 60)
    theirs = ImageOps.mirror(scan.display().crop((290, 60, 436, 211)))
    assert (view.pixels[:, width + GAP :] == np.asarray(theirs)).all()
