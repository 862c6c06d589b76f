"""What reading an answer needs in several graders: its plain form, what it leaves open, and which options it names.

An answer counts for what it commits to. It commits to nothing where it asks, hedges, runs on (LONGEST), or names an
option only to deny it.
"""

import re
from collections.abc import Sequence

LONGEST = 300
"""Characters; a final answer is no essay, and one that is can hold every answer."""

_HEDGES = re.compile(
    r"\b(?:unknown|uncertain|unclear|undetermined|indeterminate|inconclusive|unsure|undecided|maybe|perhaps|possibly"
    r"|equivocal|no (?:idea|clue|comment|answer|opinion|guess|telling|response|way (?:to|of))"
    r"|not (?:sure|certain|clear|known|excluded|determined|ruled out|possible to)"
    r"|(?:cannot|can ?not|can't|could not|couldn't|unable to)"
    r"(?: be)?(?: \w+)? (?:tell|told|excluded?|ruled?|say|said|see|determined?|know|judged?|confirm|assess(?:ed)?"
    r"|decided?)"
    r"|(?:hard|difficult|impossible) to (?:tell|say)|cannot tell|i (?:do not|don't) know)\b"
)
_NEGATION = re.compile(
    r"\b(?:no|not|without|neither|nor|never|cannot|rather than|instead of|except|excluding|excludes?|n't|\w+n't"
    r"|absence of|negative for|rules? out|unlike)\b"
)
_DENIED_AFTER = re.compile(
    r"\s*(?:is|are|was|were|has been|can be)?\s*"
    r"(?:not\b|n't\b|excluded|unlikely|wrong|incorrect|absent|ruled out|false)"
)
_CLAUSE_END = re.compile(r"[,;.:!?]|\bbut\b|\bthough\b")
REACH = 4
"""Words before an option within which a negation denies it."""


def normalised(text: str) -> str:
    """Lower case, single spaces, no full stop at the end."""
    return " ".join(text.lower().split()).rstrip(".").strip()


def commits(text: str) -> bool:
    """Whether a normalised answer says something: it asks nothing, does not hedge, and is of bearable length."""
    return 0 < len(text) <= LONGEST and "?" not in text and _HEDGES.search(text) is None


def named(options: Sequence[str], text: str) -> set[int]:
    """Which of the options a normalised answer names and does not deny, by their index.

    Whole words only ("normal" is not in "abnormal"), longer options before shorter ones ("upper left" is not "left"),
    an option of two words also in reverse ("left upper").
    """
    found: set[int] = set()
    left = text
    for index in sorted(range(len(options)), key=lambda each: -len(normalised(options[each]))):
        for form in _forms(normalised(options[index])):
            for match in list(form.finditer(left)):
                if not denied(text, match.start(), match.end()):
                    found.add(index)
                left = left[: match.start()] + "\0" * (match.end() - match.start()) + left[match.end() :]
    return found


def denied(text: str, start: int, end: int) -> bool:
    """Whether what stands at text[start:end] is denied: a negation shortly before it in its clause, or just after."""
    before = _CLAUSE_END.split(text[:start])[-1]
    near = " ".join(before.split()[-REACH:])
    return _NEGATION.search(near) is not None or _DENIED_AFTER.match(text[end:]) is not None


def _forms(option: str) -> list[re.Pattern[str]]:
    words = option.split()
    orders = [words, words[::-1]] if len(words) == 2 and all(word.isalpha() for word in words) else [words]
    return [
        re.compile(r"(?<![\w-])(?<!\d[.,])" + r"\s+".join(map(re.escape, order)) + r"(?!\w)(?![.,-]\d)")
        for order in orders
        if order
    ]
