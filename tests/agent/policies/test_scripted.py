"""The scripted policy: it plays its script, and is cut like any policy."""

import asyncio

import pytest

from agent.encoder import Encoder
from agent.policies.policy import PolicyError, Sampling
from agent.policies.scripted import ScriptedPolicy
from agent.prompt import END_OF_TURN, opening, user_turn

FIRST = "<think>I must look closer.</think>"


def ids_of(encoder: Encoder, text: str) -> list[int]:
    return encoder.encode(text)[0]


def test_turns_are_played_in_order_and_end(encoder: Encoder) -> None:
    policy = ScriptedPolicy([FIRST, "two"], encoder, version="expert")
    prompt = opening("", "What?", 0)
    one = asyncio.run(policy.generate(ids_of(encoder, prompt), [], Sampling()))
    assert encoder.decode(one.token_ids) == FIRST + END_OF_TURN
    assert (one.finish_reason, one.versions, one.prompt_tokens) == ("stop", ("expert",), None)
    assert one.logprobs == (0.0,) * len(one.token_ids)
    longer = prompt + FIRST + END_OF_TURN + user_turn("Seen.", "What?")
    two = asyncio.run(policy.generate(ids_of(encoder, longer), [], Sampling()))
    assert encoder.decode_turn(two.token_ids) == "two"


def test_a_script_knows_its_turn_and_what_was_last_said(encoder: Encoder) -> None:
    heard: list[tuple[int, str]] = []

    def script(turn: int, last: str) -> str:
        heard.append((turn, last))
        return "ok"

    policy = ScriptedPolicy(script, encoder)
    prompt = opening("Be brief.", "What?", 0)
    asyncio.run(policy.generate(ids_of(encoder, prompt), [], Sampling()))
    asyncio.run(
        policy.generate(ids_of(encoder, prompt + "ok" + END_OF_TURN + user_turn("Seen.", "What?")), [], Sampling())
    )
    assert heard == [(0, "What?"), (1, "Seen.\nWhat?")]


def test_a_long_turn_is_cut_without_its_end(encoder: Encoder) -> None:
    completion = asyncio.run(ScriptedPolicy([FIRST], encoder).generate([], [], Sampling(max_tokens=2)))
    assert (len(completion.token_ids), completion.finish_reason) == (2, "length")
    assert encoder.end_of_turn not in completion.token_ids


def test_a_script_that_is_too_short_says_so(encoder: Encoder) -> None:
    prompt = opening("", "What?", 0) + "ok" + END_OF_TURN + user_turn("Seen.", "What?")
    with pytest.raises(PolicyError, match="The script holds 1 turns, was asked for turn 2"):
        asyncio.run(ScriptedPolicy(["ok"], encoder).generate(ids_of(encoder, prompt), [], Sampling()))
