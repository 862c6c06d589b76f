"""GRPO's advantage (arXiv 2402.03300): how many of its group's deviations an episode was better than the mean."""

from collections.abc import Sequence
from statistics import fmean, stdev

from rl.training.algorithms.algorithm import Advantage, RewardedEpisode, algorithm, of_episodes

LEAST_DEVIATION = 1e-9


@algorithm()
def group_norm(group: Sequence[RewardedEpisode]) -> list[list[Advantage]]:
    """(reward - mean) / deviation, that of a sample (over n - 1); 0 where all rewards are one."""
    rewards = [each.reward for each in group]
    mean, deviation = fmean(rewards), stdev(rewards) + LEAST_DEVIATION
    return of_episodes(group, [(reward - mean) / deviation for reward in rewards])
