"""Questions that point to a place: what lies there beyond doubt, from annotations worked by hand."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from rl.tasks.sets._cells_at import cells_at
from rl.tasks.sets._identity import numbered, stream_of
from rl.tasks.sets._nuclei_at import nuclei_at
from rl.tasks.sets._pointing import around, inside, point_at
from rl.tasks.sets.nuclei import nuclei_in

SIZE = (640, 480)
WHITE, RED, PLATELET = ("WBC", [20, 100, 220, 300]), ("RBC", [400, 300, 500, 400]), ("Platelets", [380, 80, 420, 120])


def test_a_place_is_named_on_the_grid() -> None:
    assert point_at(320, 240, SIZE) == (500, 500)  # 499.5 of 999
    assert point_at(640, 480, SIZE) == (980, 980)  # the last grid point inside
    assert around((500, 500), 120) == (380, 380, 620, 620)
    assert around((100, 500), 120) is None  # its middle would not be the point


def test_inside_is_off_the_borders_by_a_share_of_the_sides() -> None:
    box = (100.0, 100.0, 200.0, 200.0)
    assert inside((500, 500), (300.0, 200.0, 340.0, 280.0), SIZE, 0.2)  # 320.3, 240.2: the middle
    assert not inside((180, 240), box, SIZE, 0.2)  # 115.3 < 120
    assert inside((140, 240), box, SIZE, -0.2)  # 89.7 > 80: near it


def named(*objects: tuple[str, list[int]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    asked = cells_at([{"label": label, "box": box} for label, box in objects], SIZE, np.random.default_rng(0))
    for _, fields in asked:
        found.setdefault(fields["answer"], []).append(fields["question"])
    return found


def test_one_cell_of_each_sort() -> None:
    found = named(WHITE, RED, PLATELET)
    assert {name: len(questions) for name, questions in found.items()} == {"white": 1, "red": 1, "platelet": 1}
    assert found["platelet"] == [
        "What cell lies in the middle of the box [500, 80, 740, 320]: white, red or platelet?"
    ]  # around 400/640*999 = 624.4 and 208.1, on the grid 620 and 200


@pytest.mark.parametrize(
    "doubtful",
    [
        ("Platelets", [0, 80, 40, 120]),  # cut by the edge
        ("Platelets", [100, 180, 140, 220]),  # in the white cell
        ("WBC", [300, 100, 370, 170]),  # too small to be whole
        ("RBC", [300, 300, 340, 400]),  # too narrow
        ("RBC", [560, 300, 640, 400]),  # cut by the edge
    ],
)
def test_what_is_open_to_doubt_is_not_pointed_at(doubtful: tuple[str, list[int]]) -> None:
    objects = [WHITE, doubtful] if doubtful[0] != "WBC" else [doubtful]
    assert set(named(*objects)) <= {"white"} - ({"white"} if doubtful[0] == "WBC" else set())


def test_a_loosely_drawn_red_cell_may_reach_over_a_platelet_but_not_hold_it() -> None:
    assert "platelet" in named(PLATELET, ("RBC", [405, 60, 505, 160]))  # 397 is left of it
    assert "platelet" in named(PLATELET, ("RBC", [385, 60, 485, 160]))  # 397 is in its outer fifth
    assert "platelet" not in named(PLATELET, ("RBC", [350, 50, 450, 150]))


def labelled(*boxes: tuple[int, int, int, int], size: int = 200) -> Any:
    labels = np.zeros((size, size), np.uint16)
    for name, (x1, y1, x2, y2) in enumerate(boxes, start=1):
        labels[y1:y2, x1:x2] = name
    return labels


def row(count: int, x: int, y: int, step: int = 20, side: int = 10) -> list[tuple[int, int, int, int]]:
    return [(x + step * each, y, x + step * each + side, y + side) for each in range(count)]


def at(labels: Any) -> list[tuple[str, dict[str, Any]]]:
    return list(nuclei_at(nuclei_in(labels), np.random.default_rng(0)))


def test_boxes_of_one_size_hold_each_number_once() -> None:
    places = np.random.default_rng(1).integers(0, 12, size=(9, 9, 2)) + 20 * np.mgrid[0:9, 0:9].T
    rows = [(x, y, x + 6, y + 6) for x, y in places.reshape(-1, 2).tolist()]
    counts = [fields for kind, fields in at(labelled(*rows)) if kind == "count_in_box"]
    assert len(counts) >= 3 and all(int(a["answer"]) < int(b["answer"]) for a, b in pairwise(counts))
    sides = set[tuple[int, int]]()
    for fields in counts:
        x1, y1, x2, y2 = fields["expert"][0]["arguments"]["box"]
        sides.add((x2 - x1, y2 - y1))
        shown = [value / 999 * 200 for value in (x1, y1, x2, y2)]
        whole = [b for b in rows if b[0] > shown[0] and b[1] > shown[1] and b[2] < shown[2] and b[3] < shown[3]]
        touched = [b for b in rows if b[0] < shown[2] and b[1] < shown[3] and b[2] > shown[0] and b[3] > shown[1]]
        assert len(whole) == len(touched) == int(fields["answer"])
    assert len(sides) == 1


def test_nuclei_that_touch_are_not_counted() -> None:
    rows = [box for y in range(20, 180, 10) for box in row(16, 20, y, step=10)]  # one block of squares
    assert nuclei_in(labelled(*rows)).crowded.all()
    assert at(labelled(*rows)) == []


def test_round_and_elongated() -> None:
    labels = labelled((20, 20, 40, 40), (100, 20, 112, 44), (20, 100, 36, 120), (160, 170, 200, 190))
    found = {fields["answer"]: fields["regions"] for kind, fields in at(labels) if kind == "shape_at"}
    assert found["round"] == ((1, (20.0, 20.0, 40.0, 40.0)),)
    assert found["elongated"] == ((1, (100.0, 20.0, 112.0, 44.0)),)  # 12 x 24: 0.5; 16 x 20 is 0.8; one is cut
    assert len(found) == 2


def test_corners_touch() -> None:
    assert nuclei_in(labelled((20, 20, 30, 30), (30, 30, 40, 40), (100, 100, 110, 110))).crowded.tolist() == [
        True,
        True,
        False,
    ]
    assert nuclei_in(labelled((20, 30, 30, 40), (30, 20, 40, 30))).crowded.all()  # the other diagonal


def test_names_and_streams_follow_from_the_image() -> None:
    asked: list[tuple[str, dict[str, Any]]] = [("a", {}), ("b", {}), ("a", {})]
    assert [name for name, _, _ in numbered(asked)] == ["a", "b", "a/2"]
    assert stream_of("0f" * 32).integers(1000) == stream_of("0f" * 16).integers(1000)
