"""An evaluation's figures, from episodes written by hand."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from rl.evaluation.counterfactual import ERASED
from rl.evaluation.figures import Episodes, counterfactual, difference, summary
from rl.evaluation.grounding import holds_gold
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


def test_a_summary(episode: Episode) -> None:
    asked = [
        episode("a/1", True, [CLOSE], image="i", kind="x"),
        episode("a/2", True, image="i", kind="y"),
        episode("a/3", True, image="i", kind="y", needs_tool=False),
        episode("b/1", False, [CLOSE], image="j", kind="x", faults=1, turns=3),
        episode("b/2", None, image="j", kind="x"),
    ]
    found = summary(Episodes(asked, (), {"a/1/0": 0.9, "a/2/0": 0.5, "a/3/0": 0.8, "b/1/0": 0.6}), SIZES)
    assert (found["questions"], found["images"], found["samples"]) == (5, 2, 1)
    assert found["accuracy"]["mean"] == pytest.approx(3 / 5) and found["accuracy"]["ci95"] == [0.0, 1.0]  # two images
    assert found["by_set"]["a"]["accuracy"]["mean"] == 1.0 and found["by_set"]["b"]["accuracy"]["mean"] == 0.0
    assert found["macro_over_sets"]["mean"] == 0.5
    assert found["macro_over_kinds"]["mean"] == pytest.approx((1 / 3 + 1) / 2)
    assert found["by_set"]["a"]["by_kind"]["y"]["accuracy"] == {"mean": 1.0, "ci95": [1.0, 1.0], "n": 2}
    assert found["tool_call_rate"]["mean"] == pytest.approx(2 / 5)
    assert found["iou"] == {"mean": pytest.approx(400 / 900), "ci95": pytest.approx([400 / 900] * 2), "n": 2}
    assert (found["right_for_the_right_reason"]["mean"], found["right_for_the_right_reason"]["n"]) == (0.5, 2)
    assert found["invalid_rate"] == pytest.approx(1 / 7)
    assert found["outcomes"] == {"abstained": 1, "answered": 4}
    assert found["cost"] | {"seconds_95_percent": 0.5} == {
        "sampled_tokens": 6.0,
        "tokens": 10.0,
        "turns": 7 / 5,
        "calls": 2 / 5,
        "seconds": 0.5,
        "seconds_median": 0.5,
        "seconds_95_percent": 0.5,
    }
    abstention = found["abstention"]
    assert (abstention["rate"]["mean"], abstention["answered"], abstention["confidence"]) == (
        pytest.approx(0.2),
        pytest.approx(0.8),
        "answer_probability",
    )
    assert abstention["curve"]["risk"] == pytest.approx([0, 0, 1 / 3, 1 / 4])  # the wrong one is the third surest
    assert abstention["accuracy_where_answered"]["mean"] == 0.75


def test_several_samples_of_a_question(episode: Episode) -> None:
    answers = {"a/1": [True, False, False, False], "a/2": [True, True, True, True]}
    asked = [
        episode(task, right, image=task, sample=place, answer="a" if right else "b")
        for task, rights in answers.items()
        for place, right in enumerate(rights)
    ]
    found = summary(Episodes(asked), {"a/1": (9, 9), "a/2": (9, 9)})
    assert (found["episodes"], found["samples"], found["accuracy"]["mean"]) == (8, 4, pytest.approx((0.25 + 1) / 2))
    assert {k: each["mean"] for k, each in found["pass_at"].items()} == pytest.approx({"1": 0.625, "2": 0.75, "4": 1.0})
    assert {k: each["mean"] for k, each in found["pass_all"].items()} == pytest.approx({"1": 0.625, "2": 0.5, "4": 0.5})
    abstention = found["abstention"]
    assert abstention["confidence"] == "agreement_of_samples"
    # Agreements: 4 of 1.0 (right), 3 of 0.75 (wrong), 1 of 0.25 (right).
    assert abstention["curve"]["risk"] == pytest.approx([0, 0, 0, 0, 1 / 5, 2 / 6, 3 / 7, 3 / 8])


def test_what_was_not_measured_is_not_zero(episode: Episode) -> None:
    found = summary(Episodes([episode(regions=(), needs_tool=None)]), SIZES)
    for figure in (found["iou"], found["right_for_the_right_reason"], found["counterfactual"]["gap"]):
        assert figure["n"] == 0 and math.isnan(figure["mean"])
    assert found["abstention"]["confidence"] is None and math.isnan(found["abstention"]["aurc"])
    assert summary(Episodes([]), {})["accuracy"]["n"] == 0


def test_a_difference_is_paired_by_question(episode: Episode) -> None:
    first = [episode("a/1", True, image="i"), episode("a/2", True, image="j"), episode("b/1", True, image="k")]
    second = [episode("a/1", False, image="i"), episode("a/2", True, image="j"), episode("b/2", False, image="l")]
    found = difference(first, second)
    assert (found["mean"], found["n"], found["ci95"]) == (50.0, 2, [0.0, 100.0])
    assert found["by_set"]["b"]["n"] == 0 and found["macro_over_sets"]["mean"] == 50.0


def test_visual_hallucination(episode: Episode) -> None:
    asked = [
        episode("a/1", True, image="1"),
        episode("a/2", True, image="2"),
        episode("a/3", True, image="3"),
        episode("a/4", False, image="4"),
        episode("a/5", True, image="5"),  # has no twin
    ]
    erased = [
        episode(f"a/1{ERASED}", True, image="1e"),  # says the old answer without seeing anything
        episode(f"a/2{ERASED}", None, image="2e"),
        episode(f"a/3{ERASED}", False, image="3e"),
        episode(f"a/4{ERASED}", False, image="4e"),
    ]
    found = counterfactual(asked, erased)
    assert (found["pairs"], found["visual_hallucination_rate"]["n"]) == (4, 3)
    assert found["visual_hallucination_rate"]["mean"] == pytest.approx(1 / 3)
    assert found["accuracy_with_evidence"]["mean"] == 0.75 and found["old_answer_without_evidence"]["mean"] == 0.25
    assert found["gap"]["mean"] == 0.5 and found["abstained_without_evidence"]["mean"] == 0.25


def test_samples_are_paired_with_their_own_twins(episode: Episode) -> None:
    asked = [episode("a/1", right, sample=place) for place, right in enumerate([True, False])]
    erased = [episode(f"a/1{ERASED}", right, sample=place) for place, right in enumerate([False, True])]
    found = counterfactual(asked, erased)
    assert found["visual_hallucination_rate"] == {"mean": 0.0, "ci95": [0.0, 0.0], "n": 1}
