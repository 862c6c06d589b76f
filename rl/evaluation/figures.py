"""The figures of an evaluation, from trajectories alone: one policy's summary, and the difference between two.

A question's score is the mean over its samples; intervals draw whole images. What nothing is known about is NaN with
n = 0, and becomes null in the file. Shares run from 0 to 1.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rl.evaluation.counterfactual import ERASED
from rl.evaluation.grounding import Sizes, holds_gold, overlap
from rl.evaluation.pass_at_k import agreement, pass_all, pass_at, steps
from rl.evaluation.risk_coverage import COVERAGES, RiskCoverage, risk_coverage
from rl.evaluation.statistics import Estimate, Scored, clustered_mean, macro_mean, mean, paired
from rl.trajectories.record import Trajectory

Value = Callable[[Trajectory], float | None]
"""A figure of one episode; None where it is not defined for it."""


@dataclass(frozen=True)
class Episodes:
    """What one policy did."""

    asked: Sequence[Trajectory]
    erased: Sequence[Trajectory] = ()
    """The same questions on images whose evidence was erased."""
    confidence: Mapping[str, float] = field(default_factory=dict[str, float])
    """Probability of the answer by trajectory id, where the policy tells it."""


def right(episode: Trajectory) -> float:
    """1 for the right answer."""
    return float(episode.correct)


def called(episode: Trajectory) -> float:
    """1 where a tool call could be read, whatever came of it."""
    return float(bool(episode.calls))


def summary(episodes: Episodes, sizes: Sizes) -> dict[str, Any]:
    """One policy's figures. `sizes`: (width, height) of the images by id."""
    asked = episodes.asked
    sets = _grouped(asked, set_of)
    samples = max(Counter(str(each.task["id"]) for each in asked).values(), default=0)
    return {
        "episodes": len(asked),
        "questions": len({each.task["id"] for each in asked}),
        "images": len({_images(each) for each in asked}),
        "samples": samples,
        **_part(asked, sizes),
        "macro_over_sets": _plain(macro_mean([list(scores(part, right).values()) for part in sets.values()])),
        "macro_over_kinds": _plain(macro_mean([list(scores(part, right).values()) for part in _kinds(asked).values()])),
        "by_set": {
            name: {
                **_part(part, sizes),
                "by_kind": {kind: _part(each, sizes) for kind, each in _kinds(part).items()},
            }
            for name, part in sets.items()
        },
        "pass_at": {str(k): _plain(clustered_mean(_over_samples(asked, k, pass_at))) for k in steps(samples)},
        "pass_all": {str(k): _plain(clustered_mean(_over_samples(asked, k, pass_all))) for k in steps(samples)},
        "invalid_rate": _invalid_rate(asked),
        "outcomes": dict(sorted(Counter(each.outcome for each in asked).items())),
        "abstention": abstention(episodes),
        "counterfactual": counterfactual(asked, episodes.erased),
        "cost": _cost(asked),
    }


def difference(first: Sequence[Trajectory], second: Sequence[Trajectory]) -> dict[str, Any]:
    """`first` minus `second` in percentage points over the questions that both answered, paired: overall, by set and
    by kind within it.
    """
    score = {each: scores(episodes, right) for each, episodes in enumerate((first, second))}
    pairs = {name: paired(scores(part, right), score[1]) for name, part in _grouped(first, set_of).items()}
    return {
        **_plain(clustered_mean(paired(score[0], score[1])).scaled(100)),
        "macro_over_sets": _plain(macro_mean(list(pairs.values())).scaled(100)),
        "by_set": {
            name: {
                **_plain(clustered_mean(pairs[name]).scaled(100)),
                "by_kind": {
                    kind: _plain(clustered_mean(paired(scores(each, right), score[1])).scaled(100))
                    for kind, each in _kinds(part).items()
                },
            }
            for name, part in _grouped(first, set_of).items()
        },
    }


def scores(episodes: Iterable[Trajectory], value: Value) -> dict[str, Scored]:
    """The mean of a value over each question's samples, by task id; questions without the value are left out."""
    found: dict[str, list[float]] = defaultdict(list)
    images: dict[str, str] = {}
    for episode in episodes:
        if (each := value(episode)) is not None:
            found[str(episode.task["id"])].append(each)
            images[str(episode.task["id"])] = _images(episode)
    return {task: Scored(images[task], mean(values)) for task, values in found.items()}


def set_of(episode: Trajectory) -> str:
    """The task set, which is how a task's id begins."""
    return str(episode.task["id"]).partition("/")[0]


def abstention(episodes: Episodes) -> dict[str, Any]:
    """How often it abstained, and its risk-coverage curve by its own confidence, or by the agreement of its samples."""
    asked = episodes.asked
    answered = [each for each in asked if each.answer is not None]
    known, by = _confidences(episodes)
    ranked = [each for each in answered if each.id in known]
    curve = risk_coverage([known[each.id] for each in ranked], [each.correct for each in ranked], len(asked))
    if len(ranked) < len(answered):
        curve, by = RiskCoverage((), ()), None
    return {
        "rate": _plain(_mean(asked, lambda each: float(each.outcome == "abstained"))),
        "answered": len(answered) / len(asked) if asked else math.nan,
        "accuracy_where_answered": _plain(_mean(answered, right)),
        "confidence": by,
        "aurc": curve.area,
        "risk_at_coverage": {f"{each:g}": curve.risk_at(each) for each in COVERAGES},
        "curve": {"coverage": list(curve.coverage), "risk": list(curve.risk)},
    }


def counterfactual(asked: Sequence[Trajectory], erased: Sequence[Trajectory]) -> dict[str, Any]:
    """What the policy says when the evidence is gone, over the questions that were also asked without it.

    visual_hallucination_rate: of the pairs that it answered rightly with the evidence, the share in which it gives the
    same answer without. gap: accuracy with the evidence less the share of old answers without; a policy that does not
    look has none. By chance a guess repeats the old answer too, so the rate of a policy that looks and then guesses is
    that of a guess, not 0.
    """
    originals = {(str(each.task["id"]), each.sample): each for each in asked}
    pairs = [(originals.get((str(each.task["id"]).removesuffix(ERASED), each.sample)), each) for each in erased]
    both = [(before, after) for before, after in pairs if before is not None]
    before, after = [pair[0] for pair in both], [pair[1] for pair in both]
    gone = {str(pair[0].task["id"]): pair[1] for pair in both}
    told = [Scored(_images(first), right(second)) for first, second in both if first.correct]
    gaps = [Scored(_images(first), right(first) - right(second)) for first, second in both]
    return {
        "pairs": len(both),
        "questions": len(gone),
        "accuracy_with_evidence": _plain(_mean(before, right)),
        "old_answer_without_evidence": _plain(_mean(after, right)),
        "abstained_without_evidence": _plain(_mean(after, lambda each: float(each.outcome == "abstained"))),
        "gap": _plain(clustered_mean(gaps)),
        "visual_hallucination_rate": _plain(clustered_mean(told)),
    }


def _part(episodes: Sequence[Trajectory], sizes: Sizes) -> dict[str, Any]:
    """The figures that are told for all questions, each set and each kind."""

    def reason(episode: Trajectory) -> float | None:
        held = holds_gold(episode, sizes) if episode.correct and episode.task["needs_tool"] is not False else None
        return None if held is None else float(held)

    return {
        "accuracy": _plain(_mean(episodes, right)),
        "tool_call_rate": _plain(_mean(episodes, called)),
        "iou": _plain(_mean(episodes, overlap)),
        "right_for_the_right_reason": _plain(_mean(episodes, reason)),
    }


def _mean(episodes: Iterable[Trajectory], value: Value) -> Estimate:
    return clustered_mean(list(scores(episodes, value).values()))


def _over_samples(episodes: Sequence[Trajectory], k: int, estimator: Callable[[int, int, int], float]) -> list[Scored]:
    """The estimator of each question that has at least k samples."""
    counted: list[Scored] = []
    for samples in _grouped(episodes, lambda each: str(each.task["id"])).values():
        if len(samples) >= k:
            value = estimator(k, len(samples), sum(each.correct for each in samples))
            counted.append(Scored(_images(samples[0]), value))
    return counted


def _confidences(episodes: Episodes) -> tuple[Mapping[str, float], str | None]:
    """By trajectory id, and what they are."""
    if episodes.confidence:
        return episodes.confidence, "answer_probability"
    by_task = _grouped(episodes.asked, lambda each: str(each.task["id"]))
    if not by_task or min(map(len, by_task.values())) < 2:
        return {}, None
    agreed = {
        each.id: share
        for samples in by_task.values()
        for each, share in zip(samples, agreement([each.answer for each in samples]), strict=True)
    }
    return agreed, "agreement_of_samples"


def _invalid_rate(episodes: Sequence[Trajectory]) -> float:
    """Turns that could not be read and calls that did not run, over all turns."""
    turns = sum(each.turns for each in episodes)
    invalid = sum(each.faults + sum(call["status"] != "ok" for call in each.calls) for each in episodes)
    return invalid / turns if turns else math.nan


def _cost(episodes: Sequence[Trajectory]) -> dict[str, float]:
    """Means of an episode; its seconds are those beside the other episodes that ran at once."""
    if not episodes:
        return {}
    seconds = [each.seconds for each in episodes]
    return {
        "sampled_tokens": mean([float(sum(turn[1] - turn[0] for turn in _sampled(each))) for each in episodes]),
        "tokens": mean([float(sum(len(ledger["ids"]) for ledger in each.rows)) for each in episodes]),
        "turns": mean([float(each.turns) for each in episodes]),
        "calls": mean([float(len(each.calls)) for each in episodes]),
        "seconds": mean(seconds),
        "seconds_median": float(np.median(seconds)),
        "seconds_95_percent": float(np.percentile(seconds, 95)),
    }


def _sampled(episode: Trajectory) -> Iterable[Any]:
    return (turn for ledger in episode.rows for turn in ledger["sampled"])


def _grouped(episodes: Iterable[Trajectory], key: Callable[[Trajectory], str]) -> dict[str, list[Trajectory]]:
    found: dict[str, list[Trajectory]] = defaultdict(list)
    for episode in episodes:
        found[key(episode)].append(episode)
    return dict(sorted(found.items()))


def _kinds(episodes: Iterable[Trajectory]) -> dict[str, list[Trajectory]]:
    return _grouped(episodes, lambda each: str(each.task["kind"]))


def _images(episode: Trajectory) -> str:
    return " ".join(episode.task["images"])


def _plain(estimate: Estimate) -> dict[str, Any]:
    return {"mean": estimate.mean, "ci95": estimate.ci95, "n": estimate.n}
