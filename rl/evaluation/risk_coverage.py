"""Abstention: how often a policy is wrong among the questions that it answers, if it answers only the surest ones.

Questions are ranked by the policy's confidence. At each coverage (share of all questions that is answered) the risk is
the share of wrong answers among them; AURC is the mean risk over the coverages that the policy reaches (Geifman and
El-Yaniv 2017, arXiv 1705.08500). Questions that it abstained from are never covered: a policy that declines what it
would get wrong is better at the same coverage. Equal confidences are drawn in no order: each takes the block's share.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

COVERAGES = (0.5, 0.8, 0.9, 1.0)
"""Where the risk is reported."""


@dataclass(frozen=True)
class RiskCoverage:
    """The curve of one policy."""

    coverage: tuple[float, ...]
    """Ascending; the last is the share of questions that got an answer."""
    risk: tuple[float, ...]
    """Expected share of wrong answers among those covered."""

    @property
    def area(self) -> float:
        """AURC, 0 to 1, lower is better; NaN where nothing was answered."""
        return math.fsum(self.risk) / len(self.risk) if self.risk else math.nan

    def risk_at(self, coverage: float) -> float:
        """The risk when at least this share is covered; NaN where the policy never answers so many."""
        for reached, risk in zip(self.coverage, self.risk, strict=True):
            if reached >= coverage - 1e-9:
                return risk
        return math.nan


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
    return RiskCoverage(tuple(coverage), tuple(risk))
