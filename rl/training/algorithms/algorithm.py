"""An algorithm: what each sampled token of a group of episodes is worth, and what is made of that.

One a file of this folder, or of another package by entry point (group medvista.algorithms): a function that is given
a group, under `@algorithm()`, registers itself under its name. It sees every episode's reward, the parts of that, and
of each of its rows where its calls of the policy lie. So it may give one advantage to a whole row, one to each call
(credit by turn), or one to each token. OpenRLHF has estimators of its own; these are for trainers of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rl.config import ConfigError
from rl.training.algorithms.clipped_loss import clipped_loss
from tools.discovery import check_free, import_all
from tools.spelling import did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

ENTRY_POINT_GROUP = "medvista.algorithms"


@dataclass(frozen=True)
class SampledRow:
    """Where in one token sequence the policy spoke."""

    length: int
    """L, its ids."""
    calls: tuple[tuple[int, int], ...]
    """[start, end) of what each call of the policy sampled, in order; less than L of them."""


@dataclass(frozen=True)
class RewardedEpisode:
    """One episode of a group."""

    reward: float
    rows: tuple[SampledRow, ...]
    components: Mapping[str, float] = field(default_factory=dict[str, float])
    """What the reward is made of, by name, before weights."""


Advantage = float | Sequence[float]
"""Of a row: one number for all its tokens, one for each of its calls, or one for each of its L tokens."""
Estimator = Callable[[Sequence[RewardedEpisode]], Sequence[Sequence[Advantage]]]
"""The episodes of a group -> for each episode, for each of its rows, its advantage."""


@dataclass(frozen=True)
class LossSettings:
    """By what a loss is bounded."""

    clip: tuple[float, float] = (0.2, 0.28)
    """How far below and above 1 the ratio of the policy to the one before the step counts."""
    importance: tuple[float, float] | None = (0.5, 5.0)
    """Where the weight of a token (the trainer's probability over the engine's, before the step) lies outside, the
    token is left out; None: no token is weighted."""


Loss = Callable[["Tensor", "Tensor", "Tensor", "Tensor", LossSettings], "Tensor"]
"""(log-probabilities now, before the step, as sampled, advantages; each [B, T]), settings -> loss of each token [B, T].
A trainer takes its mean over all sampled tokens of an optimizer's step."""


@dataclass(frozen=True)
class Algorithm:
    """A named way to learn from a group."""

    advantages: Estimator
    loss: Loss


_algorithms: dict[str, Algorithm] = {}


def algorithm(loss: Loss = clipped_loss) -> Callable[[Estimator], Estimator]:
    """Registers an estimator under its function's name, with the loss that it is trained by."""

    def register(estimator: Estimator) -> Estimator:
        name = getattr(estimator, "__name__", "")
        before = _algorithms.get(name)
        check_free("algorithm", name, estimator, before and before.advantages)
        _algorithms[name] = Algorithm(estimator, loss)
        return estimator

    return register


def find_algorithm(name: str) -> Algorithm:
    """Raises ConfigError where there is none of that name."""
    import_all("rl.training.algorithms", ENTRY_POINT_GROUP, "algorithm()")
    if name not in _algorithms:
        known = sorted(_algorithms)
        raise ConfigError(f"Got the algorithm {name!r}, expected one of {', '.join(known)}.{did_you_mean(name, known)}")
    return _algorithms[name]


def of_episodes(group: Sequence[RewardedEpisode], values: Sequence[float]) -> list[list[Advantage]]:
    """Each row has its episode's value: an episode counts once in its group, however many rows it has."""
    return [[value] * len(episode.rows) for episode, value in zip(group, values, strict=True)]


def per_token(advantage: Advantage, row: SampledRow) -> list[float]:
    """An advantage as one number for each id [L]; 0 outside of calls where it was given by row or by call.

    Raises ValueError where there are neither as many as calls nor as many as ids.
    """
    given: list[float] = [advantage] * len(row.calls) if isinstance(advantage, int | float) else list(advantage)
    if len(given) == row.length:
        return given
    if len(given) != len(row.calls):
        raise ValueError(
            f"Got {len(given)} advantages for a row of {row.length} ids and {len(row.calls)} calls, expected one, "
            "one for each call or one for each id."
        )
    spread = [0.0] * row.length
    for (start, end), value in zip(row.calls, given, strict=True):
        spread[start:end] = [value] * (end - start)
    return spread
