"""new_grader: the gold answer is a list, and its order does not matter."""

from rl.graders._text import normalised
from rl.graders.registry import grader


def _wrong(gold: str) -> str:
    """An answer that can be read and must not be right."""
    return f"{gold}, and one more"


@grader(wrong=_wrong)
def new_grader(answer: str, gold: str) -> float:
    """Every entry of the list and no other, in any order."""
    return float(_entries(answer) == _entries(gold))


def _entries(text: str) -> list[str]:
    return sorted(normalised(each) for each in text.split(","))
