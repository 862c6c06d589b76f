"""Which tasks are shown: chosen by rule, failures included."""

from collections.abc import Callable

from rl.evaluation.report.examples import Pair, changes, choose, pair_up
from rl.trajectories.record import Trajectory

MakeEpisode = Callable[..., Trajectory]


def test_paired_by_task_in_the_order_of_the_trained(episode: MakeEpisode) -> None:
    before = [episode("a", right=False), episode("b"), episode("only before")]
    after = [episode("b"), episode("only after"), episode("a"), episode("a", right=False)]
    pairs = pair_up([before, after])
    assert [(first.task["id"], last.task["id"], last.correct) for first, last in pairs] == [
        ("b", "b", True),
        ("a", "a", True),
    ]


def test_one_policy_alone(episode: MakeEpisode) -> None:
    pairs = pair_up([[episode("a"), episode("b", right=False)]])
    assert [[each.task["id"] for each in pair] for pair in pairs] == [["a"], ["b"]]
    assert changes(pairs) == {"mended": 0, "broken": 0, "right": 1, "wrong": 1}
    assert [pair[0].task["id"] for pair in choose(pairs)] == ["a", "b"]
    assert pair_up([]) == []


def test_changes_are_counted(episode: MakeEpisode) -> None:
    right, wrong = episode(), episode(right=False)
    pairs = [(wrong, right), (wrong, right), (right, wrong), (right, right), (wrong, wrong)]
    assert changes(pairs) == {"mended": 2, "broken": 1, "right": 1, "wrong": 1}
    assert changes([]) == {"mended": 0, "broken": 0, "right": 0, "wrong": 0}


def many(episode: MakeEpisode, wrong_after: int) -> list[Pair]:
    """40 tasks of two kinds in turn: of "side" all right before and after, of "name" mended; then some failures."""
    pairs = [
        (episode(f"n{i}", right=False), episode(f"n{i}"))
        if i % 2 == 0
        else (episode(f"s{i}", kind="side"), episode(f"s{i}", kind="side"))
        for i in range(40)
    ]
    return pairs + [(episode(f"w{i}"), episode(f"w{i}", right=False)) for i in range(wrong_after)]


def test_each_kind_in_turn_and_two_failures(episode: MakeEpisode) -> None:
    shown = [after.task["id"] for _, after in choose(many(episode, wrong_after=5), 8)]
    assert shown == ["n0", "s1", "n2", "s3", "n4", "s5", "w0", "w1"]


def test_no_place_is_left_empty(episode: MakeEpisode) -> None:
    assert len(choose(many(episode, wrong_after=0), 8)) == 8
    all_wrong = [(episode(f"{i}"), episode(f"{i}", right=False)) for i in range(12)]
    assert len(choose(all_wrong, 8)) == 8
    assert choose([], 8) == []


def test_mended_ones_come_first_within_a_kind(episode: MakeEpisode) -> None:
    pairs = [(episode("same"), episode("same")), (episode("mended", right=False), episode("mended"))]
    assert [after.task["id"] for _, after in choose(pairs, 1)] == ["mended"]
