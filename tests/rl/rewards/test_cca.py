"""CCA on small masks worked by hand."""

from typing import Any

import pytest

from rl.rewards.cca import credits
from rl.rewards.compose import score_group
from tests.rl.rewards.test_components import call, ended, task

A, B, FAR = (0.0, 0.0, 4.0, 4.0), (1.0, 0.0, 5.0, 4.0), (10.0, 10.0, 12.0, 12.0)


def looked(*boxes: tuple[float, float, float, float], image: str = "scan") -> dict[str, list[Any]]:
    return {image: list(boxes)}


def test_who_looks_where_most_look_earns_all() -> None:
    # two of three look at A: the consensus is A; B shares 3 x 4 of 5 x 4 with it: 0.6; FAR nothing
    assert credits([looked(A), looked(A), looked(FAR)], [True, True, True]) == [1.0, 1.0, 0.5]
    assert credits([looked(A), looked(A), looked(B)], [True, True, True]) == [1.0, 1.0, 1.0]


def test_half_is_not_a_majority() -> None:
    # two of four are no more than half: nothing is agreed, and those who looked do not agree with it
    assert credits([looked(A), looked(A), looked(FAR), looked(FAR)], [True] * 4) == [0.5] * 4


def test_the_consensus_is_cut_out_of_what_overlaps() -> None:
    # A, B and a box that holds both: more than half looked at x 0..4 (A and wide), 1..5 (B and wide): 0..5 x 0..4
    wide = (0.0, 0.0, 10.0, 4.0)
    # A: 16 of 20 = 0.8; B: 0.8; wide: 20 of 40 = 0.5, which is not above 0.5
    assert credits([looked(A), looked(B), looked(wide)], [True] * 3) == [1.0, 1.0, 0.5]


def test_only_right_answers_vote_and_earn() -> None:
    assert credits([looked(A), looked(FAR), looked(FAR)], [True, False, False]) == [1.0, 0.0, 0.0]
    assert credits([looked(A), looked(A)], [False, False]) == [0.0, 0.0]


def test_an_only_right_one_agrees_with_itself() -> None:
    assert credits([looked(A)], [True]) == [1.0]
    assert credits([{}], [True]) == [1.0]


def test_where_most_do_not_look_looking_is_no_agreement() -> None:
    assert credits([{}, {}, looked(A)], [True] * 3) == [1.0, 1.0, 0.5]
    assert credits([looked(A), looked(A), {}], [True] * 3) == [1.0, 1.0, 0.5]


def test_boxes_of_one_episode_are_a_union_and_images_are_told_apart() -> None:
    # A and B together are 0..5 x 0..4; counted once where they overlap
    assert credits([looked(A, B), looked((0.0, 0.0, 5.0, 4.0))], [True, True]) == [1.0, 1.0]
    assert credits([looked(A), looked(A, image="other"), looked(A)], [True] * 3) == [1.0, 0.5, 1.0]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_box_without_area_is_no_look(size: int) -> None:
    assert credits([looked((3.0, 3.0, 3.0, 9.0))] * size, [True] * size) == [1.0] * size


def test_as_a_reward_it_reads_the_looks_of_right_answers() -> None:
    where = (0.0, 0.0, 10.0, 10.0)
    states = [
        ended("solid", call(box=where)),
        ended("solid", call(box=where)),
        ended("solid"),
        ended("solid", call("failed", box=where)),
        ended("solid", call(box=where)),
        ended("cystic", call(box=where)),
    ]
    # three of five right ones looked there: a majority; a call that failed showed nothing
    rewards = score_group(task(), states, {"answer": 1.0, "cca": 0.5})
    assert [components["cca"] for _, components in rewards] == [1.0, 1.0, 0.5, 0.5, 1.0, 0.0]
    assert [reward for reward, _ in rewards] == [1.5, 1.5, 1.25, 1.25, 1.5, 0.0]
