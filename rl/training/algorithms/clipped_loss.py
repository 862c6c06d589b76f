"""The clipped policy gradient, corrected by importance: pure functions of tensors [B, T], a value for each token.

As OpenRLHF 0.11.2 has it (`policy_loss_type=ppo`, `is_correction_level=token`, `is_correction_mode=mask`): PPO's
pessimistic surrogate (arXiv 1707.06347) with a lower and an upper bound of their own (DAPO, arXiv 2503.14476), times
the weight by which the trainer's policy before the step differs from the engine's that sampled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from rl.training.algorithms.algorithm import LossSettings

MOST_LOG_RATIO = 20.0


def clipped_loss(now: Tensor, before: Tensor, sampled: Tensor, advantages: Tensor, settings: LossSettings) -> Tensor:
    """The loss of each token [B, T]; all log-probabilities are natural, gradients flow through `now` alone."""
    losses = surrogate(now, before, advantages, settings.clip)
    return losses if settings.importance is None else importance(before, sampled, settings.importance) * losses


def surrogate(now: Tensor, before: Tensor, advantages: Tensor, clip: tuple[float, float]) -> Tensor:
    """-min(r A, clip(r, 1 - low, 1 + high) A) with r = exp(now - before) [B, T].

    Where `now` is `before`, as in the first optimizer step, this is -A and its gradient that of REINFORCE.
    """
    ratio = (now - before).clamp(-MOST_LOG_RATIO, MOST_LOG_RATIO).exp()
    low, high = clip
    return -(ratio * advantages).minimum(ratio.clamp(1 - low, 1 + high) * advantages)


def importance(before: Tensor, sampled: Tensor, within: tuple[float, float]) -> Tensor:
    """exp(before - sampled) [B, T]; 0 where that lies outside of `within`."""
    weight = (before - sampled).exp()
    low, high = within
    return weight.masked_fill((weight < low) | (weight > high), 0.0)
