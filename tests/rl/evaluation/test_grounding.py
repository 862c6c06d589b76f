"""Where an episode looked against where the answer lies, worked by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from rl.evaluation.grounding import centre_hits, holds_gold, overlap
from rl.trajectories.record import Trajectory

Episode = Callable[..., Trajectory]
CLOSE = (35.0, 35.0, 65.0, 65.0)
"""Holds the gold box (40, 40, 60, 60)."""
SIZES = {"i": (200, 200), "j": (200, 200)}


@pytest.mark.parametrize(
    ("looks", "held"),
    [
        ([CLOSE], True),
        ([(0, 0, 10, 10), CLOSE], True),
        ([(40, 42, 60, 62)], True),  # 18 of 20 rows: 90 %
        ([(40, 43, 60, 63)], False),  # 85 %
        ([(40, 40, 60, 50), (40, 50, 60, 60)], False),  # no look alone holds it
        ([(0, 0, 200, 200)], False),  # the whole image is no closer look
        ([(0, 0, 100, 100)], True),  # a quarter of it is
        ([(0, 0, 100, 101)], False),
        ([], False),
    ],
)
def test_a_look_that_holds_the_evidence(episode: Episode, looks: Any, held: bool) -> None:
    assert holds_gold(episode(looks=looks), SIZES) is held


def test_every_region_must_be_held_and_a_large_one_may_be(episode: Episode) -> None:
    two = ((1, (40.0, 40.0, 60.0, 60.0)), (1, (100.0, 100.0, 120.0, 120.0)))
    assert holds_gold(episode(regions=two, looks=[CLOSE]), SIZES) is False
    assert holds_gold(episode(regions=two, looks=[CLOSE, (95, 95, 125, 125)]), SIZES) is True
    large = ((1, (0.0, 0.0, 140.0, 140.0)),)
    assert holds_gold(episode(regions=large, looks=[(0, 0, 141, 141)]), SIZES) is True
    whole = ((1, (0.0, 0.0, 180.0, 180.0)),)  # so large that there is nothing to look closer at
    assert holds_gold(episode(regions=whole), SIZES) is None
    assert holds_gold(episode(regions=(*whole, *two)), SIZES) is False
    assert holds_gold(episode(regions=()), SIZES) is None


@pytest.mark.parametrize(
    ("start", "status", "held"),
    [([250, 250], "ok", True), ([500, 500], "ok", False), ([250, 250], "retry", False)],  # 250 of 999 of 200: pixel 50
)
def test_a_point_in_the_evidence_counts(episode: Episode, start: list[int], status: str, held: bool) -> None:
    call = {"call": {"name": "measure_distance", "arguments": {"image": 1, "start": start, "end": [900, 900]}}}
    pointed = episode(calls=[{**call, "status": status, "text": "", "images": [], "regions": []}])
    assert holds_gold(pointed, SIZES) is held


@pytest.mark.parametrize(
    ("looks", "iou", "centre"),
    [
        ([(40, 40, 60, 80)], 0.5, 1.0),  # 400 of 800 square pixels
        ([(40, 40, 60, 80), (100, 100, 110, 110)], 0.5, 1.0),  # a look elsewhere costs nothing
        ([(0, 0, 90, 90)], 400 / 8100, 1.0),  # wide: the centre lies in it, and little else that counts
        ([(100, 100, 120, 120)], 0.0, 0.0),
        ([], None, None),  # never looked
    ],
)
def test_the_best_look_counts(episode: Episode, looks: Any, iou: float | None, centre: float | None) -> None:
    assert overlap(episode(looks=looks)) == (None if iou is None else pytest.approx(iou))
    assert centre_hits(episode(looks=looks)) == centre


def test_each_region_has_its_best_look_on_its_own_image(episode: Episode) -> None:
    two = ((1, (40.0, 40.0, 60.0, 60.0)), (1, (100.0, 100.0, 120.0, 120.0)))
    one_of_two = episode(regions=two, looks=[(40, 40, 60, 60)])  # met exactly, and not at all: mean of 1 and 0
    assert (overlap(one_of_two), centre_hits(one_of_two)) == (0.5, 0.5)
    calls = episode(image="j", looks=[(40, 40, 60, 60)]).calls
    assert (overlap(episode(image="i", calls=calls)), centre_hits(episode(image="i", calls=calls))) == (0.0, 0.0)
    assert overlap(episode(regions=(), calls=calls)) is None
