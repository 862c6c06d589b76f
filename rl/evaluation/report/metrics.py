"""The figures of report.json, from trajectories: one condition's summary, gains between conditions, exactness.

All are plain dictionaries in the shape that rl/evaluation/report/schema.py checks. A figure that nothing is known about
is NaN and becomes null in the file. Rates and accuracies are shares from 0 to 1, gains percentage points. Intervals
draw images, not questions: answers about one image fall together.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rl.evaluation.grounding import centre_hits, gold_regions, overlap
from rl.evaluation.statistics import Scored, clustered_mean, mean, paired
from rl.trajectories.record import Trajectory

TRAINED = "trained"
COMPARED = {"over_tools_untrained": "tools_untrained", "over_no_tools": "no_tools", "over_warmup": "warmup"}
"""Name of each gain, and the condition that the trained policy is compared with."""


def summarise(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """One entry of `conditions`: what a policy reached over its episodes.

    tool_call_rate is the share of episodes with at least one call that could be read, whatever came of it;
    invalid_rate is unreadable turns and calls that did not run, over all turns. iou and centre_hit_rate are means over
    the iou_n episodes that have gold regions and looked somewhere; unlooked_n have gold regions and never looked.
    """
    kinds = sorted({str(each.task["kind"]) for each in trajectories})
    turns = sum(each.turns for each in trajectories)
    invalid = sum(each.faults + sum(call["status"] != "ok" for call in each.calls) for each in trajectories)
    return {
        **_figures(trajectories),
        "by_kind": {kind: _figures([each for each in trajectories if each.task["kind"] == kind]) for kind in kinds},
        "tool_call_rate_by_need": {
            name: _call_rate([each for each in trajectories if each.task["needs_tool"] is need])
            for name, need in (("needed", True), ("not_needed", False))
        },
        "centre_hit_rate": mean(_defined([centre_hits(each) for each in trajectories])),
        "unlooked_n": sum(bool(gold_regions(each)) and overlap(each) is None for each in trajectories),
        "invalid_rate": invalid / turns if turns else math.nan,
        "outcomes": dict(sorted(Counter(each.outcome for each in trajectories).items())),
    }


def gains(conditions: Mapping[str, Sequence[Trajectory]]) -> dict[str, dict[str, Any]]:
    """The `gain` part: trained minus each other condition, over the tasks that both answered, with a paired interval,
    overall and by kind.

    `conditions` are trajectories by condition's name; the gain over one that is missing is NaN with n = 0.
    """
    trained = conditions.get(TRAINED, ())
    kinds = sorted({str(each.task["kind"]) for each in trained})
    found: dict[str, dict[str, Any]] = {}
    for gain, name in COMPARED.items():
        other = _score_by_task(conditions.get(name, ()))
        by_kind = {kind: [each for each in trained if each.task["kind"] == kind] for kind in kinds}
        parts = {kind: _gain(_score_by_task(episodes), other) for kind, episodes in by_kind.items()}
        found[gain] = {**_gain(_score_by_task(trained), other), "by_kind": parts}
    return found


def _gain(first: Mapping[str, Scored], second: Mapping[str, Scored]) -> dict[str, Any]:
    points = clustered_mean(paired(first, second)).scaled(100)
    return {"points": points.mean, "ci95": points.ci95, "n": points.n}


def exactness(
    trajectories: int,
    refused: int,
    mean_logprob_difference: float = math.nan,
    max_logprob_difference: float = math.nan,
    mean_trainer_difference: float = math.nan,
    max_trainer_difference: float = math.nan,
) -> dict[str, Any]:
    """The `exactness` part: trajectories checked and refused, and in nats how far vLLM's log-probabilities are from
    those of transformers among the ids that may be sampled, and from the trainer's, which are among all ids."""
    return {
        "trajectories": trajectories,
        "refused": refused,
        "mean_logprob_difference": mean_logprob_difference,
        "max_logprob_difference": max_logprob_difference,
        "mean_trainer_difference": mean_trainer_difference,
        "max_trainer_difference": max_trainer_difference,
    }


def _figures(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    accuracy = clustered_mean([Scored(_images(each), float(each.correct)) for each in trajectories])
    overlaps = _defined([overlap(each) for each in trajectories])
    return {
        "accuracy": accuracy.mean,
        "ci95": accuracy.ci95,
        "n": accuracy.n,
        "tool_call_rate": _call_rate(trajectories),
        "iou": mean(overlaps),
        "iou_n": len(overlaps),
    }


def _call_rate(trajectories: Sequence[Trajectory]) -> float:
    return mean([float(bool(each.calls)) for each in trajectories])


def _defined(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _score_by_task(trajectories: Sequence[Trajectory]) -> dict[str, Scored]:
    """Mean score of each task; the mean because a task may have been answered more than once."""
    scores: dict[str, list[float]] = {}
    images: dict[str, str] = {}
    for each in trajectories:
        scores.setdefault(str(each.task["id"]), []).append(float(each.correct))
        images[str(each.task["id"])] = _images(each)
    return {task: Scored(images[task], mean(values)) for task, values in scores.items()}


def _images(episode: Trajectory) -> str:
    return " ".join(episode.task["images"])
