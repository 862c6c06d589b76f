"""Advantages of the shipped algorithms and of one that is brought along, by hand."""

import pytest

from rl.config import ConfigError
from rl.training.algorithms.algorithm import RewardedEpisode, SampledRow, algorithm, find_algorithm, per_token

ONE = SampledRow(6, ((2, 4),))
TWO = SampledRow(8, ((1, 3), (5, 8)))
GROUP = [
    RewardedEpisode(1.0, (ONE, TWO)),
    RewardedEpisode(0.0, (ONE,)),
    RewardedEpisode(0.0, (TWO,)),
    RewardedEpisode(3.0, ()),  # counts in the group, though nothing of it trains
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dr_grpo", [0.0, -1.0, -1.0]),  # the mean is 1
        ("rloo", [0.0, -4 / 3, -4 / 3]),  # the others' means are 1, 4/3, 4/3
        ("group_norm", [0.0, -0.7071068, -0.7071068]),  # deviations 0, 1, 1, 2: sqrt(6 / 3)
    ],
)
def test_a_reward_is_compared_with_its_groups(name: str, expected: list[float]) -> None:
    given = find_algorithm(name).advantages(GROUP)
    assert [len(each) for each in given] == [2, 1, 1, 0]
    assert [row for episode in given for row in episode] == pytest.approx([expected[0], *expected])


def test_rewards_that_are_all_one_give_nothing() -> None:
    same = [RewardedEpisode(0.5, (ONE,))] * 3
    assert [find_algorithm(name).advantages(same)[0] for name in ("dr_grpo", "rloo", "group_norm")] == [[0.0]] * 3


def test_an_advantage_is_a_rows_a_calls_or_a_tokens() -> None:
    assert per_token(2.0, TWO) == [0, 2, 2, 0, 0, 2, 2, 2]
    assert per_token([1.0, -1.0], TWO) == [0, 1, 1, 0, 0, -1, -1, -1]
    assert per_token([0.1] * 8, TWO) == [0.1] * 8
    with pytest.raises(ValueError, match="Got 3 advantages for a row of 8 ids and 2 calls"):
        per_token([1.0] * 3, TWO)


def test_another_algorithm_is_one_function() -> None:
    @algorithm()
    def last_call(group: list[RewardedEpisode]) -> list[list[list[float]]]:
        return [[[*[0.0] * (len(row.calls) - 1), each.reward] for row in each.rows] for each in group]

    given = find_algorithm("last_call").advantages(GROUP)
    assert given[0] == [[1.0], [0.0, 1.0]]
    with pytest.raises(ConfigError, match=r"Got the algorithm 'dr_grp', expected one of dr_grpo.*dr_grpo\?"):
        find_algorithm("dr_grp")
