"""The shapes of evaluation.json and report.json: one policy's figures and one difference look alike in both.

Shares run from 0 to 1, differences are percentage points. What was not measured is null, never 0: NaN becomes null
here. An infinite value is refused, for it is a fault that must be seen; so is a field that nobody names.
"""

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, FiniteFloat

from rl.evaluation.statistics import Estimate, mean

CONDITIONS = ("no_tools", "tools_untrained", "warmup", "trained")
"""The policies that a training run evaluates: the base without a tool in its prompt, the base with the tool prompt, the
warm-up and what reinforcement learning made of it. All answer the same tasks, so their differences are paired.
"""
GAINS = {"over_tools_untrained": "tools_untrained", "over_no_tools": "no_tools", "over_warmup": "warmup"}
"""Name of each gain, and the condition that the trained policy is compared with."""
STAGES = ("base", "warmup", "rl", "evaluate")


def _null_if_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


Measured = Annotated[FiniteFloat | None, BeforeValidator(_null_if_nan)]
"""A number, or null where it was not measured."""
Interval = tuple[Measured, Measured]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mean(_Part):
    """A mean over questions with its 95 % interval."""

    mean: Measured
    ci95: Interval
    n: int
    """Questions behind it."""

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """The estimate as it is written."""
        return cls(mean=estimate.mean, ci95=(estimate.low, estimate.high), n=estimate.n)


class Figures(_Part):
    """What a policy reached over some questions; rl/evaluation/metrics.py says what each figure counts."""

    accuracy: Measured
    ci95: Interval
    """Of the accuracy."""
    n: int
    """Questions."""
    tool_call_rate: Measured
    tool_call_rate_ci95: Interval
    iou: Measured
    iou_ci95: Interval
    iou_n: int
    """Questions behind `iou`: those with gold regions, in whose episodes something was looked at."""
    centre_hit_rate: Measured
    right_for_the_right_reason: Mean

    @property
    def means(self) -> dict[str, Mean]:
        """The figures that have an interval, by name."""
        return {
            "accuracy": Mean(mean=self.accuracy, ci95=self.ci95, n=self.n),
            "tool_call_rate": Mean(mean=self.tool_call_rate, ci95=self.tool_call_rate_ci95, n=self.n),
            "iou": Mean(mean=self.iou, ci95=self.iou_ci95, n=self.iou_n),
            "right_for_the_right_reason": self.right_for_the_right_reason,
        }


class SetFigures(Figures):
    """The same over one task set, and over each kind of question in it."""

    by_kind: dict[str, Figures]


class RiskCoverage(_Part):
    """Of one policy: how often it is wrong if it answers only the surest questions."""

    coverage: tuple[float, ...] = ()
    """Ascending; the last is the share of questions that got an answer."""
    risk: tuple[float, ...] = ()
    """Expected share of wrong answers among those covered."""

    @property
    def area(self) -> float:
        """AURC, 0 to 1, lower is better; NaN where nothing was answered."""
        return mean(self.risk)

    def risk_at(self, coverage: float) -> float:
        """The risk when at least this share is covered; NaN where the policy never answers so many."""
        reached = zip(self.coverage, self.risk, strict=True)
        return next((risk for share, risk in reached if share >= coverage - 1e-9), math.nan)


class Abstention(_Part):
    """How often a policy abstained, and how well it knows what it does not know."""

    rate: Mean
    answered: Measured
    accuracy_where_answered: Mean
    confidence: str | None
    """Where its confidence comes from: answer_probability or agreement_of_samples; null where there is none."""
    aurc: Measured
    risk_at_coverage: dict[str, Measured]
    curve: RiskCoverage


class Counterfactual(_Part):
    """What a policy says when the evidence is gone."""

    pairs: int
    questions: int
    accuracy_with_evidence: Mean
    old_answer_without_evidence: Mean
    abstained_without_evidence: Mean
    gap: Mean
    visual_hallucination_rate: Mean


class Policy(SetFigures):
    """Everything that is told of one policy; `by_kind` is over all sets."""

    episodes: int
    questions: int
    images: int
    samples: int
    """Most episodes of one question."""
    by_set: dict[str, SetFigures]
    macro_over_sets: Mean
    macro_over_kinds: Mean
    tool_call_rate_by_need: dict[str, Measured]
    unlooked_n: int
    """Episodes with gold regions that never looked."""
    invalid_rate: Measured
    outcomes: dict[str, int]
    pass_at: dict[str, Mean]
    pass_all: dict[str, Mean]
    abstention: Abstention
    counterfactual: Counterfactual
    cost: dict[str, Measured]


class Points(_Part):
    """A difference in percentage points, paired over questions."""

    points: Measured
    ci95: Interval
    n: int

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """A difference of shares as it is written."""
        scaled = estimate.scaled(100)
        return cls(points=scaled.mean, ci95=(scaled.low, scaled.high), n=scaled.n)


class SetDifference(Points):
    """The same over one task set, and over each kind of question in it."""

    by_kind: dict[str, Points] = {}


class Difference(SetDifference):
    """The policy `first` minus the policy `second`."""

    first: str
    second: str
    macro_over_sets: Points
    by_set: dict[str, SetDifference]


class Evaluation(_Part):
    """evaluation.json."""

    settings: dict[str, Any]
    policies: dict[str, Policy]
    differences: tuple[Difference, ...]


class Stage(_Part):
    """How long a stage of the run took."""

    seconds: Measured


class Swap(_Part):
    """One checkpoint taken into the served graph."""

    version: str
    seconds: Measured = None
    """From the pause to the first new token."""
    failed_requests: int | None = None
    stale_answers: int | None = None
    asked: int | None = None
    reasons: tuple[str, ...] = ()
    """Why the requests that failed did."""


class Exactness(_Part):
    """How exactly what was trained is what was sampled, in nats: how far vLLM's log-probabilities are from those of
    transformers among the ids that may be sampled, and from the trainer's, which are among all ids.
    """

    trajectories: int | None = None
    refused: int | None = None
    mean_logprob_difference: Measured = None
    max_logprob_difference: Measured = None
    mean_trainer_difference: Measured = None
    max_trainer_difference: Measured = None


class Report(_Part):
    """report.json: an evaluation of the four conditions, and what only a training run has; null is what is missing."""

    conditions: dict[str, Policy | None] = dict.fromkeys(CONDITIONS)
    gain: dict[str, Difference | None] = dict.fromkeys(GAINS)
    stages: dict[str, Stage | None] = dict.fromkeys(STAGES)
    swaps: tuple[Swap, ...] = ()
    exactness: Exactness = Exactness()
    versions: dict[str, str | None] = {}
