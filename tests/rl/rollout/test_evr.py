"""EVR on hand-made entropies: where a call's arguments lie, dH, the probability to branch, and what is drawn."""

import math
import random

import pytest

from agent.chat import PolicyCall
from agent.chat.families.family import NOTHING, Family, Tokens
from agent.chat.messages import MessageContent
from agent.chat.record.positions import Position, Turn
from agent.policies.policy import Completion
from rl.rollout.evr import Branching, Call, argument_spans, calls_of, chosen

TOKENS = [
    "<think>",
    "Look",
    "</think>",
    "<tool_call>",
    '{"name": "zoom_in", "arguments":',
    ' {"image": 1',
    "}}",
    "</tool_call>",
]


def a_turn(entropies: list[float], kept: int = 0) -> Turn:
    """A turn of these tokens, the first `kept` of which another episode sampled."""
    said = Completion(tuple(range(8)), (-1.0,) * 8, "stop", ("v",), None, tuple(entropies))
    return Turn(
        PolicyCall("s"),
        MessageContent("assistant", ()),
        said,
        Position(0, None, Tokens((), ()), (), NOTHING),
        kept=kept,
    )


A_TURN = a_turn([])


def spell(ids: list[int]) -> str:
    return "".join(TOKENS[each] for each in ids)


def test_arguments_are_the_ids_that_begin_within_them() -> None:
    assert argument_spans(list(range(8)), spell) == [(5, 7)]
    assert argument_spans([0, 1, 2, *range(3, 8), *range(3, 8)], spell) == [(5, 7), (10, 12)]


@pytest.mark.parametrize("ids", [[], [0, 1, 2], [3, 4, 5], [3, 7], [3, 4, 7]])
def test_a_turn_without_a_whole_call_has_none(ids: list[int]) -> None:
    assert argument_spans(ids, spell) == []


def test_of_the_embedded_policy_they_begin_behind_the_calls_fixed_piece(encoder: Family) -> None:
    call = '{"name": "zoom_in", "arguments": {"image": 1, "box": [12, 345, 67, 890]}}'
    text = f"<think>I must look closer.</think><tool_call>{call}</tool_call><|im_end|>"
    ids, _ = encoder.encode(text)
    ((start, end),) = argument_spans(ids, encoder.decode)
    assert encoder.decode(ids[:start]).endswith('"arguments": {"image": ')
    assert encoder.decode(ids[start:]).startswith("1")
    assert "890" in encoder.decode(ids[start:end])


def test_the_rise_is_the_arguments_mean_less_that_of_the_first_ids() -> None:
    # first 2 ids: (0.1 + 0.3) / 2 = 0.2; arguments 5 and 6: (1.2 + 0.8) / 2 = 1.0; over ln 100
    entropies = [0.1, 0.3, 5.0, 5.0, 5.0, 1.2, 0.8, 5.0]
    turn = a_turn(entropies)
    (call,) = calls_of(turn, lambda ids: spell(list(ids)), 100, Branching(first=2))
    assert (call.turn, call.position) == (turn, 5)
    assert call.rise == pytest.approx(0.8 / math.log(100))


def test_the_first_ids_end_where_the_arguments_begin() -> None:
    # ids 0..4 stand before: mean 3.08
    entropies = [0.1, 0.3, 5.0, 5.0, 5.0, 1.2, 0.8, 5.0]
    (call,) = calls_of(a_turn(entropies), lambda ids: spell(list(ids)), 100, Branching(first=20))
    assert call.rise == pytest.approx((1.0 - 3.08) / math.log(100))


def test_a_call_that_a_fork_shares_is_not_forked_again() -> None:
    entropies = [0.1, 0.3, 5.0, 5.0, 5.0, 1.2, 0.8, 5.0]
    assert calls_of(a_turn(entropies, kept=5), lambda ids: spell(list(ids)), 100, Branching()) == []


@pytest.mark.parametrize(
    ("rise", "probability"), [(0.0, 0.5), (0.4, 0.7), (-0.4, 0.3), (1.0, 1.0), (2.0, 1.0), (-1.0, 0.0), (-3.0, 0.0)]
)
def test_the_probability_is_base_plus_gamma_times_the_rise(rise: float, probability: float) -> None:
    assert Branching().probability(rise) == pytest.approx(probability)


def test_sure_calls_never_branch_unsure_ones_always_and_the_most_unsure_are_kept() -> None:
    calls = [(name, Call(a_turn([]), 5, rise)) for name, rise in (("a", 1.0), ("b", -1.0), ("c", 3.0), ("d", 2.0))]
    assert [name for name, _ in chosen(calls, 2, Branching(), random.Random(0))] == ["c", "d"]
    assert [name for name, _ in chosen(calls, 9, Branching(), random.Random(0))] == ["c", "d", "a"]
    assert chosen(calls, 0, Branching(), random.Random(0)) == []


def test_calls_branch_as_often_as_they_should() -> None:
    calls = [(place, Call(A_TURN, 5, 0.4)) for place in range(4000)]  # probability 0.7: 2800 with a deviation of 29
    assert abs(len(chosen(calls, 4000, Branching(), random.Random(1))) - 2800) < 4 * 29
