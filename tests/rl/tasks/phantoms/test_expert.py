"""What an expert writes, worked by hand: pixels of 512 to a grid of 20 in 0-999."""

import pytest

from rl.tasks.phantoms.expert import measure_call, reading, zoom_call
from rl.tasks.phantoms.image import Lesion


@pytest.mark.parametrize(
    ("x", "y", "box"),
    [
        (256, 256, [440, 440, 560, 560]),  # 499.5 - 60 = 439.5, on the grid 440
        (0, 512, [0, 860, 120, 980]),  # shifted, not cut: -60 to 0, and 940 to 980 - 120
        (100, 300, [140, 520, 260, 640]),  # 195.1 - 60 = 135.1 and 585.4 - 60 = 525.4
    ],
)
def test_a_zoom_is_a_box_of_120_around_the_point(x: float, y: float, box: list[int]) -> None:
    call = zoom_call(x, y)
    assert (call.name, call.arguments) == ("zoom_in", {"image": 1, "box": box})


def test_a_measurement_goes_from_centre_to_centre() -> None:
    call = measure_call(Lesion(256, 128, 24, "solid", 0), Lesion(400, 300, 24, "cystic", 0))
    # 499.5 and 249.75, then 780.5 and 585.4
    assert call.arguments == {"image": 1, "start": [500, 240], "end": [780, 580]}


def test_a_reading_names_every_view() -> None:
    assert reading(["cystic", "solid"], 2) == "Image 2: cystic, Image 3: solid."
