"""What comes in from outside is checked by name: a question, and what a run may change."""

from typing import Any

import pytest

from agent.policies.policy import Sampling
from agent.question import QuestionError, question_of, sampling_fields

RIGHT = {"images": ["a", "b"], "question": "What is it?"}


def test_a_question_is_taken_out_of_a_state() -> None:
    assert question_of({**RIGHT, "images": ("a", "b"), "turns": 0}) == RIGHT


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        ({"images": []}, "Got no `question`, expected a text"),
        ({"question": "?"}, "Got no `images`, expected a list of ids"),
        ({**RIGHT, "question": None}, "Got NoneType as `question`, expected a text"),
        ({**RIGHT, "images": "ab"}, "Got str as `images`, expected a list of ids"),
        ({**RIGHT, "images": None}, "Got NoneType as `images`, expected a list of ids"),
        ({**RIGHT, "images": ["a", {"id": "b"}]}, "Got dict in `images`, expected a list of ids"),
    ],
)
def test_a_question_that_is_none(wrong: dict[str, Any], got: str) -> None:
    with pytest.raises(QuestionError, match=got):
        question_of(wrong)


def test_sampling_may_come_as_json() -> None:
    assert sampling_fields({"temperature": 0.5, "seed": 3}) == {"temperature": 0.5, "seed": 3}
    assert sampling_fields(Sampling(top_p=0.9))["top_p"] == 0.9
    assert sampling_fields(None) == {}


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (0.5, "Got float as `sampling`, expected the fields of Sampling"),
        ({"temprature": 0.5}, "Got `sampling.temprature`, expected some of temperature, top_p"),
        ({"temperature": "hot"}, "Got 'hot' as `sampling.temperature`: Input should be a valid number"),
        ({"banned": [1]}, "Got `sampling.banned`, expected some of"),
    ],
)
def test_a_sampling_that_is_none(wrong: Any, got: str) -> None:
    with pytest.raises(QuestionError, match=got):
        sampling_fields(wrong)
