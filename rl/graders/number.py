"""number: one number within a tolerance, in the gold answer's unit, in a unit that converts to it, or without one.

A count is a number without a unit: "3 nodules" is three, "3 cm" is none. What leaves the number open is not read
(_numbers.py says what does).
"""

from rl.graders._numbers import UNITS, Quantity, read_quantity, unit_named
from rl.graders._text import commits, normalised
from rl.graders.registry import grader

LONGEST = 120
"""Characters of an answer that is one number."""


def _gold(text: str, unit: str | None) -> Quantity:
    quantity = read_quantity(normalised(text))
    if quantity is None:
        raise ValueError(f"Got the gold answer {text!r}, expected one number, with a unit or without.")
    if unit is None:
        return quantity
    if quantity.unit not in (None, unit_named(unit)):
        raise ValueError(f"Got the gold answer {text!r} with the rule unit={unit!r}, expected one and the same unit.")
    return Quantity(quantity.value, unit_named(unit))


def _allowed(gold: Quantity, tolerance: float, absolute: float) -> float:
    if tolerance < 0 or absolute < 0:
        raise ValueError(f"Got tolerance {tolerance} and absolute {absolute}, expected neither below 0.")
    return max(absolute, tolerance * abs(gold.value)) + 1e-9 * max(1.0, abs(gold.value))


def _wrong(gold: str, *, tolerance: float = 0.0, absolute: float = 0.0, unit: str | None = None) -> str:
    truth = _gold(gold, unit)
    value = truth.value + 2 * _allowed(truth, tolerance, absolute) + 1
    return f"{value:g} {truth.unit}" if truth.unit else f"{value:g}"


@grader(wrong=_wrong)
def number(answer: str, gold: str, *, tolerance: float = 0.0, absolute: float = 0.0, unit: str | None = None) -> float:
    """1 where the answer's number is off by at most `tolerance` of the gold one, or by `absolute` of its units.

    Raises ValueError for a gold answer that is no number.
    """
    truth = _gold(gold, unit)
    plain = normalised(answer)
    said = read_quantity(plain) if len(answer) <= LONGEST and commits(plain) else None
    if said is None or said.measures not in (None, truth.measures):
        return 0.0
    scale = UNITS[truth.unit][1] if truth.unit else 1.0
    value = said.in_base() / scale if said.unit else said.value
    return float(abs(value - truth.value) <= _allowed(truth, tolerance, absolute))
