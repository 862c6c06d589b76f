"""The shape of report.json, checked before anything is written.

What was not measured is null, never 0: NaN becomes null here. An infinite value is refused, for it is a fault that must
be seen. Fields beyond these are kept, so that a run may report more than every run must.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

CONDITIONS = ("no_tools", "tools_untrained", "warmup", "trained")
GAINS = ("over_tools_untrained", "over_no_tools", "over_warmup")
STAGES = ("base", "warmup", "rl", "evaluate")


def _null_if_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def _with_names(names: tuple[str, ...]) -> BeforeValidator:
    """Every one of `names` has an entry: null where it is missing."""

    def fill(value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {**dict.fromkeys(names), **cast("Mapping[str, object]", value)}

    return BeforeValidator(fill)


Measured = Annotated[FiniteFloat | None, BeforeValidator(_null_if_nan)]
"""A number, or null where it was not measured."""

Interval = tuple[Measured, Measured]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Figures(_Part):
    """What a policy reached over some episodes. Shares from 0 to 1."""

    accuracy: Measured
    ci95: Interval
    n: int
    tool_call_rate: Measured
    iou: Measured
    iou_n: int = 0
    """Episodes behind `iou`: those with gold regions that looked somewhere."""


class Condition(Figures):
    """One condition of the evaluation; rl/evaluation/report/metrics.py says what each figure counts."""

    by_kind: dict[str, Figures]
    tool_call_rate_by_need: dict[str, Measured] = Field(default_factory=dict[str, Any])
    centre_hit_rate: Measured = None
    unlooked_n: int = 0
    invalid_rate: Measured
    outcomes: dict[str, int] = Field(default_factory=dict[str, int])


class Gain(_Part):
    """Trained minus another condition, percentage points, paired over tasks."""

    points: Measured
    ci95: Interval
    n: int | None = None


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


class Exactness(_Part):
    """How exactly what was trained is what was sampled."""

    trajectories: int | None = None
    refused: int | None = None
    mean_logprob_difference: Measured = None
    max_logprob_difference: Measured = None
    mean_trainer_difference: Measured = None
    max_trainer_difference: Measured = None


class Report(_Part):
    """report.json."""

    conditions: Annotated[dict[str, Condition | None], _with_names(CONDITIONS)] = Field(
        default={}, validate_default=True
    )
    gain: Annotated[dict[str, Gain | None], _with_names(GAINS)] = Field(default={}, validate_default=True)
    stages: Annotated[dict[str, Stage | None], _with_names(STAGES)] = Field(default={}, validate_default=True)
    swaps: tuple[Swap, ...] = ()
    exactness: Exactness = Exactness()
    versions: dict[str, str | None] = Field(default_factory=dict[str, Any])
