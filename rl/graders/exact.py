"""exact: the gold answer itself, but for case, space and a final full stop. For closed vocabularies of our own."""

from rl.graders._text import normalised
from rl.graders.registry import grader


def _wrong(gold: str) -> str:
    return f"not {gold}"


@grader(wrong=_wrong)
def exact(answer: str, gold: str) -> float:
    """Equal but for case, space and a final full stop."""
    return float(normalised(answer) == normalised(gold))
