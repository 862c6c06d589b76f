"""A scored group as training samples: each exact row with what an algorithm says its tokens are worth."""

from collections.abc import Sequence
from typing import Any

from rl.training.algorithms.algorithm import Estimator, RewardedEpisode, SampledRow, per_token
from rl.training.group_sampler import ScoredEpisode
from rl.training.trainers.trainer import TrainingSample


def training_samples(group: Sequence[ScoredEpisode], estimator: Estimator) -> list[TrainingSample]:
    """The rows of a task's episodes; those in which nothing was sampled for training are left out."""
    outlines = [rewarded(each) for each in group]
    return [
        TrainingSample(
            row.ids,
            row.mask,
            row.logprobs,
            row.mm,
            advantage=per_token(advantage, outline),
            group=str(episode.trajectory.task["id"]),
            episode=episode.trajectory.id,
        )
        for episode, rewarded_one, advantages in zip(group, outlines, estimator(outlines), strict=True)
        for row, outline, advantage in zip(episode.rows, rewarded_one.rows, advantages, strict=True)
        if any(row.mask)
    ]


def rewarded(episode: ScoredEpisode) -> RewardedEpisode:
    """What an algorithm sees of an episode."""
    trajectory = episode.trajectory
    rows = tuple(SampledRow(len(each["ids"]), _calls(each)) for each in trajectory.rows)
    return RewardedEpisode(trajectory.reward, rows, trajectory.rewards)


def _calls(ledger: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    return tuple((turn[0], turn[1]) for turn in ledger["sampled"])
