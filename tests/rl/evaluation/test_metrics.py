"""A policy's figures, from episodes written by hand."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from rl.evaluation.metrics import Episodes, measure
from rl.evaluation.schema import Mean, Policy
from rl.trajectories.record import Trajectory

Episode = Callable[..., Trajectory]
CLOSE = (35.0, 35.0, 65.0, 65.0)
"""Holds the gold box (40, 40, 60, 60)."""
SIZES = {"i": (200, 200), "j": (200, 200)}


def figures(*asked: Trajectory) -> Policy:
    images = {image for each in asked for image in each.task["images"]}
    return measure(Episodes(asked, sizes=dict.fromkeys(images, (200, 200))))


def test_a_summary(episode: Episode) -> None:
    asked = [
        episode("a/1", True, [CLOSE], image="i", kind="x"),
        episode("a/2", True, image="i", kind="y"),
        episode("a/3", True, image="i", kind="y", needs_tool=False),
        episode("b/1", False, [CLOSE], image="j", kind="x", faults=1, turns=3),
        episode("b/2", None, image="j", kind="x"),
    ]
    sure = {"a/1/0": 0.9, "a/2/0": 0.5, "a/3/0": 0.8, "b/1/0": 0.6}
    found = measure(Episodes(asked, (), sure, SIZES))
    assert (found.questions, found.images, found.samples) == (5, 2, 1)
    assert found.accuracy == pytest.approx(3 / 5) and found.ci95 == (0.0, 1.0)  # two images
    assert found.by_set["a"].accuracy == 1.0 and found.by_set["b"].accuracy == 0.0
    assert found.macro_over_sets.mean == 0.5
    assert found.macro_over_kinds.mean == pytest.approx((1 / 3 + 1) / 2)
    assert found.by_set["a"].by_kind["y"].means["accuracy"] == Mean(mean=1.0, ci95=(1.0, 1.0), n=2)
    assert found.tool_call_rate == pytest.approx(2 / 5)
    assert (found.iou, found.iou_ci95, found.iou_n) == (pytest.approx(400 / 900), pytest.approx((400 / 900,) * 2), 2)
    assert (found.right_for_the_right_reason.mean, found.right_for_the_right_reason.n) == (0.5, 2)
    assert found.invalid_rate == pytest.approx(1 / 7)
    assert found.outcomes == {"abstained": 1, "answered": 4}
    assert found.cost | {"seconds_95_percent": 0.5} == {
        "sampled_tokens": 6.0,
        "tokens": 10.0,
        "turns": 7 / 5,
        "calls": 2 / 5,
        "seconds": 0.5,
        "seconds_median": 0.5,
        "seconds_95_percent": 0.5,
    }
    abstention = found.abstention
    assert (abstention.rate.mean, abstention.answered, abstention.confidence) == (
        pytest.approx(0.2),
        pytest.approx(0.8),
        "answer_probability",
    )
    assert list(abstention.curve.risk) == pytest.approx([0, 0, 1 / 3, 1 / 4])  # the wrong one is the third surest
    assert abstention.accuracy_where_answered.mean == 0.75


def test_several_samples_of_a_question(episode: Episode) -> None:
    answers = {"a/1": [True, False, False, False], "a/2": [True, True, True, True]}
    asked = [
        episode(task, right, image=task, sample=place, answer="a" if right else "b")
        for task, rights in answers.items()
        for place, right in enumerate(rights)
    ]
    found = measure(Episodes(asked, sizes={"a/1": (9, 9), "a/2": (9, 9)}))
    assert (found.episodes, found.samples, found.accuracy) == (8, 4, pytest.approx((0.25 + 1) / 2))
    assert {k: each.mean for k, each in found.pass_at.items()} == pytest.approx({"1": 0.625, "2": 0.75, "4": 1.0})
    assert {k: each.mean for k, each in found.pass_all.items()} == pytest.approx({"1": 0.625, "2": 0.5, "4": 0.5})
    abstention = found.abstention
    assert abstention.confidence == "agreement_of_samples"
    # Agreements: 4 of 1.0 (right), 3 of 0.75 (wrong), 1 of 0.25 (right).
    assert list(abstention.curve.risk) == pytest.approx([0, 0, 0, 0, 1 / 5, 2 / 6, 3 / 7, 3 / 8])


def test_what_was_not_measured_is_not_zero(episode: Episode) -> None:
    found = figures(episode(regions=(), needs_tool=None))
    for value in (found.means["iou"], found.right_for_the_right_reason, found.counterfactual.gap):
        assert value == Mean(mean=None, ci95=(None, None), n=0)
    assert found.abstention.confidence is None and found.abstention.aurc is None
    assert found.tool_call_rate_by_need == {"needed": None, "not_needed": None} and found.centre_hit_rate is None
    nothing = figures()
    assert (nothing.accuracy, nothing.ci95, nothing.n, nothing.tool_call_rate) == (None, (None, None), 0, None)
    assert (nothing.invalid_rate, nothing.by_kind, nothing.cost) == (None, {}, {})


def test_accuracy_per_kind(episode: Episode) -> None:
    name = [episode(task, right=task == "a", kind="name", image=task) for task in "abcd"]
    found = figures(*name, episode("e", kind="side", image="e"))
    assert (found.accuracy, found.n) == (0.4, 5)
    # Four values with a single 1: the interval that test_statistics.py counts out.
    assert found.by_kind["name"].means["accuracy"] == Mean(mean=0.25, ci95=(0.0, 0.75), n=4)
    assert (found.by_kind["side"].accuracy, found.by_kind["side"].n) == (1.0, 1)


def test_intervals_draw_images_not_questions(episode: Episode) -> None:
    alike = [episode(task, right=task == "a") for task in "abcd"]  # four questions about one image
    assert figures(*alike).ci95 == (0.25, 0.25)


def test_episodes_that_never_looked_are_counted_apart(episode: Episode) -> None:
    met = episode("c", looks=[(40, 40, 60, 60)])
    refused = replace(met, calls=[{**met.calls[0], "status": "retry"}])
    found = figures(episode("a"), episode("b", calls=refused.calls), met, episode("d", regions=()))
    assert (found.iou, found.iou_n, found.centre_hit_rate, found.unlooked_n) == (1.0, 1, 1.0, 2)


def test_call_rates_by_need(episode: Episode) -> None:
    needed = [episode("a", looks=[CLOSE]), episode("b")]
    not_needed = [episode(task, needs_tool=False, looks=[CLOSE] * (task == "c")) for task in "cdef"]
    found = figures(*needed, *not_needed)
    assert found.tool_call_rate == pytest.approx(2 / 6)
    assert found.tool_call_rate_by_need == {"needed": 0.5, "not_needed": 0.25}


def test_invalid_rate_is_over_all_turns(episode: Episode) -> None:
    (call,) = episode(looks=[CLOSE]).calls
    failed = [{**call, "status": status} for status in ("retry", "bug")]
    # 1 unreadable turn and 2 calls that did not run, in 3 + 1 + 4 turns.
    made = [
        episode("a", turns=3, faults=1, calls=failed[:1]),
        episode("b", turns=1),
        episode("c", turns=4, calls=[failed[1], call]),
    ]
    assert figures(*made).invalid_rate == 3 / 8


def test_same_figures_after_a_passage_through_json(episode: Episode) -> None:
    made = episode(looks=[CLOSE])
    assert figures(Trajectory.from_plain(json.loads(json.dumps(made.to_plain())))) == figures(made)
