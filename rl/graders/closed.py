"""closed: yes or no, or one of a closed set of options, said in whatever sentence.

"Yes, a nodule is seen" is yes and "no evidence of a nodule" is no. A sentence that says neither is not read as either
("abnormal? unknown", "cannot exclude a nodule", "a mass is seen"), nor is one that says both. Where a question asks
whether all is well ("Is the heart normal?"), "no abnormality" means yes to one reader and no to another, so a bare
denial decides nothing there: the task says so by the rule `asks_normal`.
"""

import re
from collections.abc import Sequence
from typing import Literal

from rl.graders._text import commits, named, normalised
from rl.graders.registry import grader

Polarity = Literal["yes", "no"]
YES_NO = ("yes", "no")

_LEAD = re.compile(
    r"^(?:(?:(?:the |my )?(?:final |correct )?answer(?: is| would be)?|it is|it's|that is|this is|that would be|so|well"
    r"|overall|i (?:would )?(?:think|believe|say)(?: that)?|(?:most )?likely|probably|definitely|clearly)\b[\s:,]*"
    r"|[\"'*(\[:\-\s]+)+"
)
_YES = re.compile(r"\b(?:yes|yeah|yep|true|correct)\b")
_NO = re.compile(
    r"\b(?:no(?=\s*(?:$|[,.;:!/\"'*)\]-]|(?:or|and|yes|no|it|there|this|that|they|the|these)\b))"
    r"|nope|false|incorrect)\b"
)
_YES_THEN_NO = re.compile(r"\b(?:yes\W*no|yes\W+or\W+not|yes\W+and\W+no)\b")
_DENIAL = re.compile(
    r"^(?:there (?:is|are|was|were) )?(?:no(?! doubt)|not|without|absence of)\b"
    r"|\b(?:is|are|was|were|does|do|did|has|have) not\b|\b(?:is|are|was|were|does|do|did|has|have)n't\b"
)
_NOT_WELL = re.compile(
    r"\b(?:abnormal|not (?:\w+ )?(?:normal|clear|healthy|intact|unremarkable|symmetrical|symmetric))\b"
)
_ASKS_NORMAL = re.compile(
    r"\b(?:normal|normally|clear|unremarkable|healthy|intact|symmetric|symmetrical|free of|free from|absent|absence"
    r"|lack|lacking|lacks|missing|no|not|without)\b"
)
_WHOLE: dict[str, Polarity] = {"present": "yes", "positive": "yes", "absent": "no", "negative": "no", "none": "no"}


def asks_normal(question: str) -> bool:
    """Whether a yes to the question means that nothing is wrong, or that something is not there."""
    return _ASKS_NORMAL.search(question.lower()) is not None


def _wrong(gold: str, *, options: Sequence[str] = YES_NO, asks_normal: bool = False) -> str:
    return next(option for option in options if normalised(option) != normalised(gold))


@grader(wrong=_wrong)
def closed(answer: str, gold: str, *, options: Sequence[str] = YES_NO, asks_normal: bool = False) -> float:
    """1 where the answer commits to the gold option and to no other. Raises ValueError where gold is no option."""
    options = tuple(options)
    chosen = [normalised(option) for option in options]
    if normalised(gold) not in chosen or len(set(chosen)) != len(chosen) or len(chosen) < 2:
        raise ValueError(
            f"Got the gold answer {gold!r}, expected one of the (two or more, distinct) options {options}."
        )
    said = normalised(answer)
    if said in chosen:
        return float(said == normalised(gold))
    if not commits(said):
        return 0.0
    if set(chosen) == set(YES_NO):
        return float(polarity(said, asks_normal) == normalised(gold))
    return float({chosen[index] for index in named(options, said)} == {normalised(gold)})


def polarity(text: str, asks_normal: bool = False) -> Polarity | None:
    """What a normalised answer that commits says to a yes/no question; None where it says neither, or both."""
    said = _LEAD.sub("", text).rstrip(" .!\"'*)]")
    if _YES_THEN_NO.search(text) or (_YES.search(text) and _NO.search(text)):
        return None
    if _YES.match(said):
        return "yes"
    if _NO.match(said):
        return "no"
    if _YES.search(said) or _NO.search(said):
        return None  # in mid-sentence: "not yes", "it is true that ..."
    if asks_normal:
        return "no" if _NOT_WELL.search(said) else None
    return _WHOLE.get(said) or ("no" if _DENIAL.search(said) else None)
