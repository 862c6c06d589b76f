"""Numbers in answers: digits and words, decimal commas, units of one kind.

"3,5" is three and a half, "1,250" is one thousand two hundred and fifty. A range ("3-5"), a bound ("<5", "at least
5"), a product ("2 x 3 cm"), a fraction or a second number leaves open which number is meant, so none is read.
"""

import re
from dataclasses import dataclass

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TEENS = ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS = {word: value for value, word in enumerate(_ONES + _TEENS)} | {word: 20 + 10 * i for i, word in enumerate(_TENS)}
_COMPOUND = re.compile(rf"\b({'|'.join(_TENS)})[\s-]+({'|'.join(_ONES[1:10])})\b")
_WORD = re.compile(rf"\b(?:{'|'.join(sorted(WORDS, key=len, reverse=True))})\b")
_LEFT_OPEN = re.compile(r"\b(?:or|hundreds?|thousands?|millions?|dozens?|half|quarter|third)\b")
_NONE = re.compile(r"^(?:none|no\b(?! (?:more|less|fewer|other))|there (?:is|are) (?:no|none)\b)")
_BOUND_BEFORE = re.compile(
    r"(?:[<>≤≥±]\s*|\b(?:(?:less|more|fewer|greater|larger|smaller|higher|lower|other) than|over|under|above|below"
    r"|between|up to|at least|at most|minimum of|maximum of|not|or|to)\s+)$"
)
_BOUND_AFTER = re.compile(r"^\W*(?:\w+ )?(?:or|and) (?:more|less|fewer|greater|larger|smaller)\b|^\s*\+(?!\w)|^\s*±")
_AND_MORE = re.compile(r"^\s*(?:[-/x\u00d7*^]\s*\w*\d|e[-+]?\d)")
_DIGITS = re.compile(r"(?<![\w.,])[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)(?![\d])")

_POWER = re.compile(r"\b([mc]m)\^?([23])\b")

UNITS: dict[str, tuple[str, float]] = {
    "um": ("length", 1e-3), "µm": ("length", 1e-3), "μm": ("length", 1e-3), "micron": ("length", 1e-3),
    "mm": ("length", 1.0), "millimetre": ("length", 1.0), "millimeter": ("length", 1.0),
    "cm": ("length", 10.0), "centimetre": ("length", 10.0), "centimeter": ("length", 10.0),
    "m": ("length", 1000.0), "metre": ("length", 1000.0), "meter": ("length", 1000.0),
    "inch": ("length", 25.4), "inches": ("length", 25.4),
    "mm²": ("area", 1.0), "cm²": ("area", 100.0), "mm³": ("volume", 1e-3), "cm³": ("volume", 1.0),
    "ml": ("volume", 1.0), "cc": ("volume", 1.0),
    "%": ("share", 1.0), "percent": ("share", 1.0), "per cent": ("share", 1.0),
    "°": ("angle", 1.0), "degree": ("angle", 1.0), "deg": ("angle", 1.0),
    "hu": ("density", 1.0), "hounsfield unit": ("density", 1.0),
    "px": ("pixels", 1.0), "pixel": ("pixels", 1.0),
}  # fmt: skip
"""What each unit measures, and how many of its kind's base unit it is."""
_UNIT = re.compile(
    r"\s*-?(" + "|".join(sorted((re.escape(unit) for unit in UNITS), key=len, reverse=True)) + r")s?(?![\w²³])"
)


@dataclass(frozen=True)
class Quantity:
    """A number with its unit."""

    value: float
    """In the unit's own terms, as written."""
    unit: str | None

    def in_base(self) -> float:
        """In the base unit of what the unit measures (mm, mm2, ml, ...); as written without a unit."""
        return self.value * (UNITS[self.unit][1] if self.unit else 1.0)

    @property
    def measures(self) -> str | None:
        """Length, area, ...; None without a unit."""
        return UNITS[self.unit][0] if self.unit else None


def as_digits(word: str) -> str:
    """A number word as digits; any other word as it is."""
    return str(WORDS[word]) if word in WORDS else word


def unit_named(text: str) -> str:
    """The unit as UNITS spells it. Raises ValueError for one that is not known."""
    found = _UNIT.fullmatch(
        _POWER.sub(lambda match: match[1] + ("²" if match[2] == "2" else "³"), text.strip().lower())
    )
    if found is None:
        raise ValueError(f"Got the unit {text!r}, expected one of {', '.join(UNITS)}.")
    return found[1]


def read_quantity(text: str) -> Quantity | None:
    """The one number in `text` (lower case, single spaces) with the unit behind it; None where it is left open."""
    if _LEFT_OPEN.search(text):
        return None
    spelt = _POWER.sub(lambda match: match[1] + ("²" if match[2] == "2" else "³"), text)
    spelt = _COMPOUND.sub(lambda match: str(WORDS[match[1]] + WORDS[match[2]]), spelt)
    spelt = _WORD.sub(lambda match: str(WORDS[match[0]]), spelt)
    if not re.search(r"\d", spelt):
        return Quantity(0.0, None) if _NONE.match(spelt) else None
    found = list(_DIGITS.finditer(spelt))
    if len(found) != 1 or re.search(r"\d", spelt[: found[0].start()] + spelt[found[0].end() :]):
        return None
    before, after = spelt[: found[0].start()], spelt[found[0].end() :]
    if _BOUND_BEFORE.search(before) or _BOUND_AFTER.match(after) or _AND_MORE.match(after):
        return None
    unit = _UNIT.match(after)
    if unit is None and re.match(r"[a-z]", after):
        return None  # "3d"
    return Quantity(_value(found[0][0]), unit[1] if unit else None)


def _value(digits: str) -> float:
    if re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        return float(digits.replace(",", ""))
    return float(digits.replace(",", "."))
