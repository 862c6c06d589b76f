"""Dr. GRPO (arXiv 2503.20783): how much better an episode was than its group's mean, in units of reward."""

from collections.abc import Sequence
from statistics import fmean

from rl.training.algorithms.algorithm import Advantage, RewardedEpisode, algorithm, of_episodes


@algorithm()
def dr_grpo(group: Sequence[RewardedEpisode]) -> list[list[Advantage]]:
    """reward - mean: no division by the group's deviation, so a small difference stays small."""
    mean = fmean(each.reward for each in group)
    return of_episodes(group, [each.reward - mean for each in group])
