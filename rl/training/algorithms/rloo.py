"""REINFORCE leave-one-out (arXiv 2402.14740): how much better an episode was than the mean of the group's others."""

from collections.abc import Sequence

from rl.training.algorithms.algorithm import Advantage, RewardedEpisode, algorithm, of_episodes


@algorithm()
def rloo(group: Sequence[RewardedEpisode]) -> list[list[Advantage]]:
    """reward - mean of the others: n / (n - 1) times what the group's own mean would give."""
    total = sum(each.reward for each in group)
    others = len(group) - 1
    return of_episodes(group, [each.reward - (total - each.reward) / others for each in group])
