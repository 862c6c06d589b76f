"""millimetres: a length in mm within 10 % of the gold one, and nothing else in the answer.

Stricter than `number`: the phantoms' policy writes a bare length, so nothing around it needs reading.
"""

import re

from rl.graders._text import normalised
from rl.graders.registry import grader

TOLERANCE = 0.1
"""Relative error up to which a length is right; calipers of two readers differ by about as much."""

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_MILLIMETRES = re.compile(r"([-+]?\d+(?:\.\d+)?)\s*(?:mm|millimet(?:re|er)s?)\.?")


def _length(gold: str) -> float:
    truth = _MILLIMETRES.fullmatch(normalised(gold))
    if truth is None:
        raise ValueError(f"Got the gold answer {gold!r}, expected a length such as '87.4 mm'.")
    return float(truth[1])


def _wrong(gold: str) -> str:
    return f"{_length(gold) * 1.2 + 1:.1f} mm"


@grader(wrong=_wrong)
def millimetres(answer: str, gold: str) -> float:
    """A length in mm within 10 % of the gold one; a bare number counts, another unit does not."""
    expected = _length(gold)
    said = _MILLIMETRES.fullmatch(normalised(answer)) or _NUMBER.fullmatch(normalised(answer))
    if said is None:
        return 0.0
    value = float(said[said.lastindex or 0])
    return float(abs(value - expected) <= TOLERANCE * expected)
