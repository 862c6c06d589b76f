"""The figures of an evaluation, from trajectories alone: what one policy reached, and the difference between two.

A question's score is the mean over its samples; intervals draw whole images, for answers about one image fall together.
What nothing is known about has n = 0 and no mean. schema.py names the figures.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rl.evaluation.abstention import abstention
from rl.evaluation.counterfactual import counterfactual
from rl.evaluation.grounding import Sizes, centre_hits, gold_regions, holds_gold, overlap
from rl.evaluation.pass_at_k import pass_all, pass_at, steps
from rl.evaluation.schema import GAINS, Difference, Mean, Points, Policy, SetDifference, SetFigures
from rl.evaluation.scores import (
    called,
    grouped,
    images_of,
    invalid_rate,
    kind_of,
    question_mean,
    question_of,
    right,
    scores,
    set_of,
)
from rl.evaluation.statistics import Scored, clustered_mean, macro_mean, mean, paired
from rl.trajectories.record import Trajectory


@dataclass(frozen=True)
class Episodes:
    """What one policy did."""

    asked: Sequence[Trajectory] = ()
    erased: Sequence[Trajectory] = ()
    """The same questions on images whose evidence was erased."""
    confidence: Mapping[str, float] = field(default_factory=dict[str, float])
    """Probability of the answer by trajectory id, where the policy tells it."""
    sizes: Sizes = field(default_factory=dict[str, tuple[int, int]])
    """(width, height) by id of the images in which gold regions lie."""


def measure(episodes: Episodes) -> Policy:
    """One policy's figures."""
    asked, sizes = episodes.asked, episodes.sizes
    by_question = grouped(asked, question_of)
    samples = max(map(len, by_question.values()), default=0)
    need = {"needed": True, "not_needed": False}
    return Policy(
        episodes=len(asked),
        questions=len(by_question),
        images=len({images_of(each) for each in asked}),
        samples=samples,
        **_with_kinds(asked, sizes),
        by_set={name: SetFigures(**_with_kinds(part, sizes)) for name, part in grouped(asked, set_of).items()},
        macro_over_sets=_macro(grouped(asked, set_of)),
        macro_over_kinds=_macro(grouped(asked, kind_of)),
        tool_call_rate_by_need={
            name: question_mean([each for each in asked if each.task["needs_tool"] is needs], called).mean
            for name, needs in need.items()
        },
        unlooked_n=sum(bool(gold_regions(each)) and overlap(each) is None for each in asked),
        invalid_rate=invalid_rate(asked),
        outcomes=dict(sorted(Counter(each.outcome for each in asked).items())),
        pass_at={str(k): _over_samples(by_question, k, pass_at) for k in steps(samples)},
        pass_all={str(k): _over_samples(by_question, k, pass_all) for k in steps(samples)},
        abstention=abstention(asked, episodes.confidence),
        counterfactual=counterfactual(asked, episodes.erased),
        cost=_cost(asked),
    )


def difference(first: str, second: str, policies: Mapping[str, Sequence[Trajectory]]) -> Difference:
    """The policy `first` minus `second` over the questions that both answered, paired: overall, by set and by kind.

    `policies` are episodes by the policy's name; over one that is missing the difference is undefined.
    """
    asked = policies.get(first, ())
    other = scores(policies.get(second, ()), right)
    sets = grouped(asked, set_of)
    return Difference(
        first=first,
        second=second,
        **_difference(asked, other),
        macro_over_sets=Points.of(macro_mean([paired(scores(part, right), other) for part in sets.values()])),
        by_set={name: SetDifference(**_difference(part, other)) for name, part in sets.items()},
    )


def gains(conditions: Mapping[str, Sequence[Trajectory]]) -> dict[str, Difference]:
    """The trained policy minus each other condition of a run."""
    return {gain: difference("trained", name, conditions) for gain, name in GAINS.items()}


def _with_kinds(episodes: Sequence[Trajectory], sizes: Sizes) -> dict[str, Any]:
    """The fields of SetFigures."""
    kinds = grouped(episodes, kind_of)
    return {**_figures(episodes, sizes), "by_kind": {kind: _figures(part, sizes) for kind, part in kinds.items()}}


def _figures(episodes: Sequence[Trajectory], sizes: Sizes) -> dict[str, Any]:
    """The fields of Figures."""

    def reason(episode: Trajectory) -> float | None:
        held = holds_gold(episode, sizes) if episode.correct and episode.task["needs_tool"] is not False else None
        return None if held is None else float(held)

    accuracy, calls, looked = (question_mean(episodes, value) for value in (right, called, overlap))
    return {
        "accuracy": accuracy.mean,
        "ci95": accuracy.ci95,
        "n": accuracy.n,
        "tool_call_rate": calls.mean,
        "tool_call_rate_ci95": calls.ci95,
        "iou": looked.mean,
        "iou_ci95": looked.ci95,
        "iou_n": looked.n,
        "centre_hit_rate": mean([each.value for each in scores(episodes, centre_hits).values()]),
        "right_for_the_right_reason": Mean.of(question_mean(episodes, reason)),
    }


def _difference(episodes: Sequence[Trajectory], other: Mapping[str, Scored]) -> dict[str, Any]:
    """The fields of SetDifference."""

    def points(part: Sequence[Trajectory]) -> Points:
        return Points.of(clustered_mean(paired(scores(part, right), other)))

    by_kind = {kind: points(part) for kind, part in grouped(episodes, kind_of).items()}
    return {**points(episodes).model_dump(), "by_kind": by_kind}


def _macro(parts: Mapping[str, Sequence[Trajectory]]) -> Mean:
    return Mean.of(macro_mean([list(scores(part, right).values()) for part in parts.values()]))


def _over_samples(
    by_question: Mapping[str, Sequence[Trajectory]], k: int, estimator: Callable[[int, int, int], float]
) -> Mean:
    """The estimator's mean over the questions that have at least k samples."""
    counted = [
        Scored(images_of(samples[0]), estimator(k, len(samples), sum(each.correct for each in samples)))
        for samples in by_question.values()
        if len(samples) >= k
    ]
    return Mean.of(clustered_mean(counted))


def _cost(episodes: Sequence[Trajectory]) -> dict[str, float | None]:
    """Means of an episode; its seconds are those beside the other episodes that ran at once."""
    if not episodes:
        return {}
    seconds = [each.seconds for each in episodes]
    sampled = [sum(turn[1] - turn[0] for ledger in each.rows for turn in ledger["sampled"]) for each in episodes]
    return {
        "sampled_tokens": mean(sampled),
        "tokens": mean([sum(len(ledger["ids"]) for ledger in each.rows) for each in episodes]),
        "turns": mean([each.turns for each in episodes]),
        "calls": mean([len(each.calls) for each in episodes]),
        "seconds": mean(seconds),
        "seconds_median": float(np.median(seconds)),
        "seconds_95_percent": float(np.percentile(seconds, 95)),
    }
