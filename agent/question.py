"""What an episode's graph is asked with, and what one run of it may change, both checked where they come in.

They come from outside: a dictionary that an application wrote, JSON that came over a wire. What is wrong with them is
said here, by the name of the field, and not by whatever first stumbles over it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from agent.policies.policy import Sampling

EXPECTED = {"question": "a text that asks something of the images", "images": "a list of ids, as ImageStore.put gives"}
CHANGEABLE = ("temperature", "top_p", "min_p", "max_tokens", "seed", "alternatives")
"""What a run may change of how its graph samples; all else of a Sampling belongs to each call."""


class Question(TypedDict):
    """What an episode's graph is invoked with."""

    images: list[str]
    """Store ids in order of appearance; image n of the prompt is entry n - 1."""
    question: str


class QuestionError(ValueError):
    """A graph was not asked as it must be; the message names the field, what was got and what was expected."""


class ContextTooSmall(ValueError):
    """The question and its images alone fill the context."""

    def __init__(self, why: object) -> None:
        super().__init__(
            f"The question and its images alone leave no room for an answer: {why} Ask a shorter question, give fewer "
            "images, or raise the context's limit."
        )


def question_of(state: Mapping[str, Any]) -> Question:
    """The question that a graph's state begins with. Raises QuestionError."""
    for name, expected in EXPECTED.items():
        if name not in state:
            raise QuestionError(f"Got no `{name}`, expected {expected}.")
    question, images = state["question"], state["images"]
    if not isinstance(question, str):
        raise QuestionError(f"Got {_kind(question)} as `question`, expected {EXPECTED['question']}.")
    if isinstance(images, str) or not isinstance(images, Sequence):
        raise QuestionError(f"Got {_kind(images)} as `images`, expected {EXPECTED['images']}.")
    ids = [each for each in cast("Sequence[object]", images) if isinstance(each, str)]
    if len(ids) < len(cast("Sequence[object]", images)):
        other = next(each for each in cast("Sequence[object]", images) if not isinstance(each, str))
        raise QuestionError(f"Got {_kind(other)} in `images`, expected {EXPECTED['images']}.")
    return Question(images=ids, question=question)


def sampling_fields(given: object) -> dict[str, Any]:
    """The fields of Sampling that a mapping changes, those of a Sampling; none where None is given.

    Raises QuestionError.
    """
    if given is None:
        return {}
    if isinstance(given, Sampling):
        return {name: getattr(given, name) for name in CHANGEABLE}
    if not isinstance(given, Mapping):
        raise QuestionError(f"Got {_kind(given)} as `sampling`, expected the fields of Sampling, or None.")
    named = dict(cast("Mapping[str, object]", given))
    if unknown := [name for name in named if name not in CHANGEABLE]:
        raise QuestionError(f"Got `sampling.{unknown[0]}`, expected some of {', '.join(CHANGEABLE)}.")
    try:
        checked = _checker().validate_python(named)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise QuestionError(f"Got {first['input']!r} as `sampling.{place}`: {first['msg']}.") from None
    return {name: getattr(checked, name) for name in named}


@cache
def _checker() -> TypeAdapter[Sampling]:
    return TypeAdapter(Sampling)


def _kind(value: object) -> str:
    return type(value).__name__
