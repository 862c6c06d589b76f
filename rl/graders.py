"""Rules that compare an answer with the gold one: 1.0 right, 0.0 wrong. No model judges, nothing is guessed.

An answer that cannot be read by its rule is wrong; a gold answer that cannot be is a broken task and raises.
"""

import re
from collections.abc import Callable

Grader = Callable[[str, str], float]
"""(answer, gold) -> 1.0 or 0.0."""
TOLERANCE = 0.1
"""Relative error up to which a length is right; calipers of two readers differ by about as much."""

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_MILLIMETRES = re.compile(r"([-+]?\d+(?:\.\d+)?)\s*(?:mm|millimet(?:re|er)s?)\.?")


def normalised(text: str) -> str:
    """Lower case, single spaces, no full stop at the end."""
    return " ".join(text.lower().split()).rstrip(".").strip()


def exact(answer: str, gold: str) -> float:
    """Equal but for case, space and a final full stop."""
    return float(normalised(answer) == normalised(gold))


def millimetres(answer: str, gold: str) -> float:
    """A length in mm within 10 % of the gold one; a bare number counts, another unit does not."""
    truth = _MILLIMETRES.fullmatch(normalised(gold))
    if truth is None:
        raise ValueError(f"Got the gold answer {gold!r}, expected a length such as '87.4 mm'.")
    said = _MILLIMETRES.fullmatch(normalised(answer)) or _NUMBER.fullmatch(normalised(answer))
    if said is None:
        return 0.0
    value, expected = float(said[said.lastindex or 0]), float(truth[1])
    return float(abs(value - expected) <= TOLERANCE * expected)


GRADERS: dict[str, Grader] = {"exact": exact, "millimetres": millimetres}


def grade(grader: str, answer: str | None, gold: str) -> float:
    """1.0 where `answer` is right by the rule of that name; no answer, or an abstention, is not right."""
    if grader not in GRADERS:
        raise KeyError(f"Got grader {grader!r}, expected one of {', '.join(sorted(GRADERS))}.")
    return 0.0 if answer is None else GRADERS[grader](answer, gold)
