"""Every figure of report.json, worked by hand on a handful of episodes."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rl.evaluation.report.metrics import exactness, gains, summarise
from rl.trajectories.record import Trajectory

MakeEpisode = Callable[..., Trajectory]

GOLD = (1, (10.0, 10.0, 20.0, 20.0))


def looked(*boxes: Sequence[float], image: str = "scan", status: str = "ok") -> dict[str, Any]:
    regions = [{"image": image, "box": list(box), "label": None} for box in boxes]
    return {"call": {"name": "zoom_in", "arguments": {}}, "status": status, "images": ["view"], "regions": regions}


def apart(made: Sequence[Trajectory]) -> list[Trajectory]:
    """The same episodes, each task about an image of its own."""
    return [replace(each, task={**each.task, "images": [each.task["id"]]}) for each in made]


def test_accuracy_per_kind(episode: MakeEpisode) -> None:
    made = apart([episode("a"), *(episode(task, right=False) for task in "bcd"), episode("e", kind="side")])
    entry = summarise(made)
    assert (entry["accuracy"], entry["n"]) == (0.4, 5)
    # Four values with a single 1: the interval that tests/rl/evaluation/test_statistics.py counts out.
    assert (entry["by_kind"]["name"]["accuracy"], entry["by_kind"]["name"]["ci95"]) == (0.25, [0.0, 0.75])
    assert (entry["by_kind"]["side"]["accuracy"], entry["by_kind"]["side"]["n"]) == (1.0, 1)


def test_overlap_takes_the_best_look_of_each_region(episode: MakeEpisode) -> None:
    # The look (10, 10, 20, 30) holds the region of 100 px2 and is 200 px2: IoU 0.5; the other look meets nothing.
    half = episode("a", calls=[looked([10, 10, 20, 30]), looked([100, 100, 110, 110])], regions=[GOLD])
    # Two regions, one met exactly, one not at all: mean of 1 and 0.
    other = (1, (40.0, 40.0, 50.0, 50.0))
    one_of_two = episode("b", calls=[looked([10, 10, 20, 20])], regions=[GOLD, other])
    entry = summarise([half, one_of_two])
    assert (entry["iou"], entry["iou_n"], entry["centre_hit_rate"]) == (0.5, 2, 0.75)


def test_a_look_at_another_image_does_not_count(episode: MakeEpisode) -> None:
    entry = summarise([episode(calls=[looked([10, 10, 20, 20], image="other")], regions=[GOLD])])
    assert (entry["iou"], entry["centre_hit_rate"], entry["iou_n"]) == (0.0, 0.0, 1)


def test_episodes_that_never_looked_are_counted_apart(episode: MakeEpisode) -> None:
    refused = looked([10, 10, 20, 20], status="retry")
    met = episode("c", calls=[looked([10, 10, 20, 20])], regions=[GOLD])
    made = [episode("a", regions=[GOLD]), episode("b", calls=[refused], regions=[GOLD]), met, episode("d")]
    entry = summarise(made)
    assert (entry["iou"], entry["iou_n"], entry["unlooked_n"]) == (1.0, 1, 2)


def test_a_wide_look_hits_the_centre_with_little_overlap(episode: MakeEpisode) -> None:
    # 10 x 10 within 100 x 100: IoU 0.01; the region's centre (15, 15) lies inside.
    entry = summarise([episode(calls=[looked([0, 0, 100, 100])], regions=[GOLD])])
    assert (entry["iou"], entry["centre_hit_rate"]) == (0.01, 1.0)


def test_call_rates(episode: MakeEpisode) -> None:
    made = [
        episode("a", calls=[looked([0, 0, 1, 1])]),
        episode("b"),
        episode("c", kind="side", needs_tool=False, calls=[looked(status="failed")]),
        episode("d", kind="side", needs_tool=False),
        episode("e", kind="side", needs_tool=False),
        episode("f", kind="side", needs_tool=False),
    ]
    entry = summarise(made)
    assert entry["tool_call_rate"] == pytest.approx(2 / 6)
    assert (entry["by_kind"]["name"]["tool_call_rate"], entry["by_kind"]["side"]["tool_call_rate"]) == (0.5, 0.25)
    assert entry["tool_call_rate_by_need"] == {"needed": 0.5, "not_needed": 0.25}


def test_invalid_rate_is_over_all_turns(episode: MakeEpisode) -> None:
    # 1 unreadable turn and 2 calls that did not run, in 3 + 1 + 4 turns.
    made = [
        episode("a", turns=3, faults=1, calls=[looked(status="retry")]),
        episode("b", turns=1),
        episode("c", turns=4, calls=[looked(status="bug"), looked([0, 0, 1, 1])]),
    ]
    assert summarise(made)["invalid_rate"] == 3 / 8


def test_outcomes_are_counted(episode: MakeEpisode) -> None:
    made = [episode("a"), episode("b"), episode("c", right=False, outcome="context_full")]
    assert summarise(made)["outcomes"] == {"answered": 2, "context_full": 1}


def test_nothing_is_undefined_not_zero() -> None:
    entry = summarise([])
    undefined = [entry[name] for name in ("accuracy", "tool_call_rate", "iou", "centre_hit_rate", "invalid_rate")]
    assert all(math.isnan(value) for value in [*undefined, *entry["ci95"]])
    assert (entry["n"], entry["iou_n"], entry["by_kind"]) == (0, 0, {})


def test_same_figures_after_a_passage_through_json(episode: MakeEpisode) -> None:
    made = episode(calls=[looked([10, 10, 20, 30])], regions=[GOLD])
    again = Trajectory.from_plain(json.loads(json.dumps(made.to_plain())))
    assert summarise([again]) == summarise([made])


def test_gains_are_paired_points(episode: MakeEpisode) -> None:
    trained = apart([episode(task) for task in "abcd"])
    untrained = apart([episode("a", right=False), *(episode(task) for task in "bcd")])
    found = gains({"trained": trained, "tools_untrained": untrained, "warmup": [episode("z")]})
    # Differences 1, 0, 0, 0: the interval of 0 to 0.75 of tests/rl/evaluation/test_statistics.py, in points.
    points = {"points": 25.0, "ci95": [0.0, 75.0], "n": 4}
    assert found["over_tools_untrained"] == {**points, "by_kind": {"name": points}}
    assert found["over_warmup"]["n"] == 0 and math.isnan(found["over_warmup"]["points"])
    assert found["over_no_tools"]["n"] == 0 and math.isnan(found["over_no_tools"]["ci95"][0])


def test_intervals_draw_images_not_questions(episode: MakeEpisode) -> None:
    alike = [episode("a"), *(episode(task, right=False) for task in "bcd")]  # four questions about one image
    assert summarise(alike)["ci95"] == [0.25, 0.25]
    assert gains({"trained": [episode(task) for task in "abcd"], "no_tools": alike})["over_no_tools"]["ci95"] == [
        75,
        75,
    ]


def test_a_task_answered_twice_counts_once(episode: MakeEpisode) -> None:
    trained = [episode("a"), episode("a", right=False), episode("b")]
    found = gains({"trained": trained, "no_tools": [episode("a", right=False), episode("b", right=False)]})
    assert (found["over_no_tools"]["points"], found["over_no_tools"]["n"]) == (75.0, 2)


def test_exactness_that_was_not_measured_is_undefined() -> None:
    assert math.isnan(exactness(trajectories=10, refused=1)["mean_logprob_difference"])
    assert exactness(10, 1, 0.003, 0.2, 0.004, 0.3) == {
        "trajectories": 10,
        "refused": 1,
        "mean_logprob_difference": 0.003,
        "max_logprob_difference": 0.2,
        "mean_trainer_difference": 0.004,
        "max_trainer_difference": 0.3,
    }
