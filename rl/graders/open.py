"""open: free text that says what one of the accepted answers says.

By default an answer is right where it equals an accepted one after normalising: case, punctuation, articles, number
words and a lead such as "the answer is" do not count. With `credit="f1"` it earns the best token F1 (Rajpurkar et al.,
SQuAD, EMNLP 2016) with an accepted answer, and nothing where one of the two is negated and the other is not.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from rl.graders._numbers import as_digits
from rl.graders._text import LONGEST
from rl.graders.registry import grader

Credit = Literal["exact", "f1"]
_ARTICLES = frozenset({"a", "an", "the"})
_NEGATIONS = frozenset({"no", "not", "without", "never", "none", "nor", "neither", "cannot", "absent", "absence"})
_LEAD = re.compile(r"^(?:(?:the|my|final) )*answer(?: is)?\s*:?\s+|^(?:it is|this is|there is|there are|they are) ")
_OTHER = "something else entirely"


def tokens(text: str) -> list[str]:
    """The words that count: lower case, without punctuation and articles, number words as digits."""
    plain = _LEAD.sub("", " ".join(text.lower().split()))
    plain = re.sub(r"(?<=\d)[.,](?=\d)", "\0", plain.replace("n't", " not"))
    plain = re.sub(r"[^\w\0%+/]+|_", " ", plain).replace("\0", ".").replace("/", " ")
    return [as_digits(word) for word in plain.split() if word not in _ARTICLES]


def token_f1(answer: Sequence[str], gold: Sequence[str]) -> float:
    """Harmonic mean of the shares of shared tokens; 0 where one side alone is negated."""
    if bool(_NEGATIONS & set(answer)) != bool(_NEGATIONS & set(gold)):
        return 0.0
    shared = sum((Counter(answer) & Counter(gold)).values())
    return 2 * shared / (len(answer) + len(gold)) if shared else 0.0


def _wrong(gold: str, *, accepted: Sequence[str] = (), credit: Credit = "exact") -> str:
    return _OTHER


@grader(wrong=_wrong)
def open(answer: str, gold: str, *, accepted: Sequence[str] = (), credit: Credit = "exact") -> float:
    """1 for the gold answer or another accepted one; with `credit="f1"` the best token F1 instead.

    Raises ValueError for a gold answer without a word.
    """
    if not tokens(gold):
        raise ValueError(f"Got the gold answer {gold!r}, expected at least one word.")
    if credit not in ("exact", "f1"):
        raise ValueError(f"Got credit {credit!r}, expected 'exact' or 'f1'.")
    right = [tokens(each) for each in (gold, *accepted) if tokens(each)]
    if len(answer) > max(LONGEST, 2 * max(len(each) for each in (gold, *accepted))):
        return 0.0
    said = tokens(answer)
    if said in right:
        return 1.0
    return max(token_f1(said, each) for each in right) if credit == "f1" else 0.0
