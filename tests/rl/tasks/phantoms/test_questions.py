"""Gold answers, worked by hand."""

import pytest

from rl.tasks.phantoms.image import Lesion
from rl.tasks.phantoms.questions import Kind, distance_mm, gold_answer, quadrant

A = Lesion(x=100.0, y=200.0, diameter=24.0, type="cystic", calcifications=())
B = Lesion(x=400.0, y=300.0, diameter=28.0, type="cystic", calcifications=())
C = Lesion(x=400.0, y=300.0, diameter=28.0, type="solid", calcifications=((0.0, 5.0), (0.0, -5.0), (6.0, 0.0)))


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [(255, 255, "upper left"), (256, 255, "upper right"), (255, 256, "lower left"), (256, 256, "lower right")],
)
def test_quadrants_meet_at_the_middle_of_512_pixels(x: float, y: float, said: str) -> None:
    assert quadrant(Lesion(x, y, 24, "solid", 0)) == said


def test_a_distance_takes_each_axis_by_its_own_spacing() -> None:
    assert distance_mm(A, B, (1.0, 1.0)) == pytest.approx(316.2278, abs=1e-4)  # 300 across, 100 down
    assert distance_mm(A, B, (4.0, 1.0)) == pytest.approx(500.0)  # 300 mm across, 400 mm down
    assert distance_mm(A, B, (1.0, 0.5)) == pytest.approx(180.2776, abs=1e-4)  # 150 mm across, 100 mm down


@pytest.mark.parametrize(
    ("kind", "lesions", "gold"),
    [
        ("name", (A,), "cystic"),
        ("count", (C,), "3"),
        ("side", (A,), "upper left"),
        ("compare", (A, B), "yes"),
        ("compare", (A, C), "no"),
        ("measure", (A, B), "500.0 mm"),
    ],
)
def test_gold_answers(kind: Kind, lesions: tuple[Lesion, ...], gold: str) -> None:
    assert gold_answer(kind, lesions, (4.0, 1.0)) == gold


def test_a_lesions_box_is_its_diameter_around_its_centre() -> None:
    assert A.box == (88.0, 188.0, 112.0, 212.0)
