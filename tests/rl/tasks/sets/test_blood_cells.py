"""What is asked of a smear, from annotations worked by hand."""

from typing import Any

import numpy as np
import pytest

from rl.tasks.sets._stain import spots_in
from rl.tasks.sets.blood_cells import questions
from tools.images.image import MedicalImage


def smear(*spots: tuple[int, int], white: tuple[int, int, int, int] | None = None) -> MedicalImage:
    """A pink picture of 640 x 480 with blue discs of 14 pixels radius, and perhaps one large blue square."""
    pixels = np.empty((480, 640, 3), np.uint8)
    pixels[:] = (200, 170, 180)
    y, x = np.mgrid[0:480, 0:640]
    for across, down in spots:
        pixels[np.hypot(x - across, y - down) < 14] = (120, 110, 190)
    if white:
        pixels[white[1] : white[3], white[0] : white[2]] = (110, 90, 200)
    return MedicalImage(pixels)


def asked(objects: list[tuple[str, list[int]]], image: MedicalImage) -> dict[str, Any]:
    return dict(questions([{"label": label, "box": box} for label, box in objects], image))


WHITE = ("WBC", [20, 100, 220, 300])
FAR = (20, 100, 220, 300)


def platelet(x: int, y: int) -> tuple[str, list[int]]:
    return "Platelets", [x - 20, y - 20, x + 20, y + 20]


def test_a_smear_with_one_white_cell_in_its_left_half_and_two_platelets() -> None:
    found = asked([WHITE, platelet(400, 100), platelet(500, 300)], smear((400, 100), (500, 300), white=FAR))
    present = found["white_present"]
    assert present["answer"] == ("yes" if "left" in present["question"] else "no")
    # 20/640*999 = 31.2, 100/480*999 = 208.1, 220/640*999 = 343.4, 300/480*999 = 624.4
    assert found["white_box"]["answer"] == "[31, 208, 343, 624]"
    assert found["platelet_count"]["answer"] == "2" and len(found["platelet_count"]["regions"]) == 2


def test_white_cells_across_the_midline_are_not_asked_by_halves() -> None:
    for box in ([250, 100, 400, 300], [100, 100, 310, 300], [330, 100, 500, 300]):  # across it, and within 16 pixels
        assert "white_present" not in asked([("WBC", box)], smear())
    assert "white_present" in asked([("WBC", [100, 100, 300, 300])], smear())


def test_a_cut_off_white_cell_is_not_asked_about() -> None:
    assert not {"white_present", "white_count", "white_box"} & set(asked([("WBC", [0, 0, 200, 79])], smear()))


def test_two_white_cells_are_counted_and_not_located() -> None:
    found = asked([WHITE, ("WBC", [400, 100, 600, 300])], smear())
    assert found["white_count"]["answer"] == "2" and "white_box" not in found


@pytest.mark.parametrize(
    ("boxes", "spots"),
    [
        ([platelet(400, 100)], [(400, 100), (500, 300)]),  # a spot that nobody boxed
        ([platelet(400, 100), platelet(500, 300)], [(400, 100)]),  # a box without a spot
        ([platelet(400, 100), platelet(410, 105)], [(400, 100)]),  # two that overlap
        ([("Platelets", [0, 80, 40, 120])], [(20, 100)]),  # cut by the edge
        ([("Platelets", [350, 50, 500, 150])], [(400, 100)]),  # a clump
    ],
)
def test_platelets_that_stain_and_boxes_disagree_on_are_not_counted(
    boxes: list[tuple[str, list[int]]], spots: list[tuple[int, int]]
) -> None:
    assert "platelet_count" not in asked(boxes, smear(*spots))


def test_red_cells_are_never_asked_about() -> None:
    assert all(
        "red" not in fields["question"] for fields in asked([WHITE, ("RBC", [300, 300, 400, 400])], smear()).values()
    )


def test_spots_are_found_where_they_lie_but_not_in_white_cells() -> None:
    (spot,) = spots_in(smear((400, 100), (100, 200), white=FAR).pixels, [FAR])
    assert spot == pytest.approx((400, 100), abs=1)
