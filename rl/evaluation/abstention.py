"""Abstention: how often a policy is wrong among the questions that it answers, if it answers only the surest ones.

Questions are ranked by the policy's confidence. At each coverage (share of all questions that is answered) the risk is
the share of wrong answers among them; AURC is the mean risk over the coverages that the policy reaches (Geifman and
El-Yaniv 2017, arXiv 1705.08500). Questions that it abstained from are never covered: a policy that declines what it
would get wrong is better at the same coverage. Equal confidences are drawn in no order: each takes the block's share.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from rl.evaluation.pass_at_k import agreement
from rl.evaluation.schema import Abstention, Mean, RiskCoverage
from rl.evaluation.scores import abstained, grouped, question_mean, question_of, right
from rl.trajectories.record import Trajectory

COVERAGES = (0.5, 0.8, 0.9, 1.0)
"""Where the risk is reported."""


def risk_coverage(confidences: Sequence[float], right: Sequence[bool], questions: int) -> RiskCoverage:
    """The curve for the answered questions (each with its confidence) of `questions` that were asked."""
    ranked = sorted(zip(confidences, right, strict=True), key=lambda pair: -pair[0])
    answered, wrong = 0, 0.0
    coverage: list[float] = []
    risk: list[float] = []
    for _, block in groupby(ranked, key=lambda pair: pair[0]):
        alike = [is_right for _, is_right in block]
        share = 1 - sum(alike) / len(alike)
        for _ in alike:
            answered, wrong = answered + 1, wrong + share
            coverage.append(answered / questions)
            risk.append(wrong / answered)
    return RiskCoverage(coverage=tuple(coverage), risk=tuple(risk))


def abstention(asked: Sequence[Trajectory], confidence: Mapping[str, float]) -> Abstention:
    """How often it abstained, and its risk-coverage curve by its own confidence, or by the agreement of its samples.

    `confidence`: the probability of the answer by trajectory id, where the policy tells it.
    """
    answered = [each for each in asked if each.answer is not None]
    known, by = _confidences(asked, confidence)
    ranked = [each for each in answered if each.id in known]
    curve = risk_coverage([known[each.id] for each in ranked], [each.correct for each in ranked], len(asked))
    if len(ranked) < len(answered):
        curve, by = RiskCoverage(), None
    return Abstention(
        rate=Mean.of(question_mean(asked, abstained)),
        answered=len(answered) / len(asked) if asked else math.nan,
        accuracy_where_answered=Mean.of(question_mean(answered, right)),
        confidence=by,
        aurc=curve.area,
        risk_at_coverage={f"{each:g}": curve.risk_at(each) for each in COVERAGES},
        curve=curve,
    )


def _confidences(
    asked: Sequence[Trajectory], confidence: Mapping[str, float]
) -> tuple[Mapping[str, float], str | None]:
    """By trajectory id, and what they are."""
    if confidence:
        return confidence, "answer_probability"
    by_task = grouped(asked, question_of)
    if not by_task or min(map(len, by_task.values())) < 2:
        return {}, None
    agreed = {
        each.id: share
        for samples in by_task.values()
        for each, share in zip(samples, agreement([each.answer for each in samples]), strict=True)
    }
    return agreed, "agreement_of_samples"
