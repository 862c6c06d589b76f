"""What comes in from outside is checked by name: a question, and what a run may change."""

from typing import Any

import pytest

from agent.policies.policy import Sampling
from agent.question import Overrides, QuestionError, asked

RIGHT = {"images": ["a", "b"], "question": "What is it?"}


def test_a_question_is_taken_out_of_a_state() -> None:
    assert asked({**RIGHT, "images": ("a", "b"), "ledger": {}}) == RIGHT


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
        asked(wrong)


def test_sampling_may_come_as_json() -> None:
    given: Any = {"temperature": 0.5, "seed": 3, "stop": ["."]}
    assert Overrides(sampling=given).sampling == Sampling(temperature=0.5, seed=3, stop=(".",))
    assert Overrides(sampling=Sampling(top_p=0.9)).sampling == Sampling(top_p=0.9)
    assert Overrides().sampling is None


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        ({"policy": "mine"}, "Got str as `policy`, expected a policy with `generate`"),
        ({"sampling": 0.5}, "Got float as `sampling`, expected the fields of Sampling"),
        ({"sampling": {"temprature": 0.5}}, "Got `sampling.temprature`, expected some of temperature, top_p"),
        ({"sampling": {"temperature": "hot"}}, "Got 'hot' as `sampling.temperature`: Input should be a valid number"),
        ({"sampling": {"stop": [1]}}, r"Got 1 as `sampling.stop.0`: Input should be a valid string"),
    ],
)
def test_overrides_that_are_none(wrong: dict[str, Any], got: str) -> None:
    with pytest.raises(QuestionError, match=got):
        Overrides(**wrong)
