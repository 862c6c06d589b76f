"""The probability of an answer: of its own tokens, not of the thought before it."""

import math
from dataclasses import replace
from typing import Any

import pytest

from agent.chat.record.ledger import Ledger
from agent.encoder import Encoder
from agent.policies.policy import Completion
from agent.prompt import END_OF_TURN
from rl.evaluation.answer_confidence import answer_probability
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory, record
from tests.ledgers import said as turned
from tests.ledgers import shown

THOUGHT, ANSWER = "<think>I can see it.</think><answer>", "upper left"


EMPTY = ("images", "transcript", "calls", "versions", "untrained")
PLAYED: dict[str, Any] = {**{name: [] for name in EMPTY}, "turns": 1, "faults": 0}


def said(encoder: Encoder, text: str, logprobs: list[float], answer: str | None) -> Trajectory:
    ids, _ = encoder.encode(text)
    ledger = turned(shown(Ledger(), [5, 6]), Completion(tuple(ids), tuple(logprobs), "stop", ("v",), None))
    state = {**PLAYED, "rows": [ledger.to_plain()], "answer": answer, "outcome": "answered"}
    return record("t", "test", Task("t", "k", "?", (), "a", "exact"), state, {"answer": 0.0}, 0.0, 0.1)  # type: ignore[arg-type]


def test_only_the_answers_tokens_count(encoder: Encoder) -> None:
    before, inside = (len(encoder.encode(text)[0]) for text in (THOUGHT, ANSWER))
    after = len(encoder.encode("</answer>" + END_OF_TURN)[0])
    logprobs = [-3.0] * before + [-0.25] * inside + [-0.0] * after
    trajectory = said(encoder, THOUGHT + ANSWER + "</answer>" + END_OF_TURN, logprobs, ANSWER)
    assert len(trajectory.rows[0]["ids"]) == 2 + len(logprobs)  # the tokenizer splits at the tags
    assert answer_probability(trajectory, encoder) == pytest.approx(math.exp(-0.25 * inside))


def test_nobody_knows_how_sure_a_chat_model_was(encoder: Encoder) -> None:
    text = THOUGHT + ANSWER + "</answer>"
    unknown = [math.nan] * len(encoder.encode(text)[0])
    assert answer_probability(said(encoder, text, unknown, ANSWER), encoder) is None
    assert answer_probability(said(encoder, text, [0.0] * len(unknown), None), encoder) is None  # an abstention


def test_an_episode_that_ended_before_the_policy_spoke_has_none(encoder: Encoder) -> None:
    assert answer_probability(replace(said(encoder, "a", [0.0], None), rows=[]), encoder) is None


def test_a_conversation_that_ends_with_something_else_is_not_asked(encoder: Encoder) -> None:
    """A graph of several conversations: the answer may have been said in another one than the last that is trained."""
    first, second = (
        said(
            encoder,
            f"{THOUGHT}{answer}</answer>",
            [chance] * len(encoder.encode(f"{THOUGHT}{answer}</answer>")[0]),
            "a",
        )
        for answer, chance in (("upper left", -0.25), ("lower right", -0.5))
    )
    inside = len(encoder.encode("upper left</answer>")[0])  # that it ends there is part of it
    both = replace(second, answer="upper left", rows=first.rows + second.rows)
    assert answer_probability(both, encoder) == pytest.approx(math.exp(-0.25 * inside))
    judged = replace(second, answer="upper left", untrained=first.rows)
    assert answer_probability(judged, encoder) == pytest.approx(math.exp(-0.25 * inside))
    assert answer_probability(replace(both, answer="I can see it"), encoder) is None  # thought, not answered
