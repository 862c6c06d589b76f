"""choice: one of several options, named by its letter or by its text.

A letter counts where it is meant as one: alone, before a bracket, colon or full stop, in brackets, or after a word
such as "option"; bold type and LaTeX's box around it are looked through. So the "a" of "a nodule" and the D of "vitamin
D" are no choices. Two letters ("A) B)"), a letter and another option's text, or two options' texts are no choice
either; a letter and its own text are one, also where that is a letter again.
"""

import re
from collections.abc import Sequence

from rl.graders._text import commits, denied, named, normalised
from rl.graders.registry import grader

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALONE = re.compile(r"\W*([A-Za-z])\W*")
_LABEL = re.compile(r"^\W*([A-Za-z])\s*[).:\]]|[(\[]\s*([A-Za-z])\s*[)\]]|^\W*([B-Z])\s*[,;-]\s")
_CLOSED = re.compile(r"(?<![\w(\[])([A-Za-z])\s*[)\]]")
"""A letter before a bracket that it does not share with other words."""
_ASIDE = re.compile(r"[(\[][^()\[\]]{2,}[)\]]")
_LETTERS_ALONE = re.compile(r"\W*[A-Za-z](?:(?:\W|\b(?:or|and|then)\b)+[A-Za-z])+\W*", re.IGNORECASE)
_LABELLED = re.compile(r"\W*([A-Za-z])\s*[).:\],;-]+\s*(.+)", re.DOTALL)
_TYPE = re.compile(r"\\(?:boxed|text|textbf|mathrm|mathbf)\b|[*`${}]|\\[()\[\]]")
"""How an answer is set: Markdown's and LaTeX's marks."""
_CUED = re.compile(
    r"\b(?:answer|option|options|choice|choices|letter|choose|select|pick)\b(?:\s+is)?\s*[:=]?\s*\W?\b([A-Z]|[b-z])\b"
    r"(?=\W*$|\s*[,.;:)\]]|\s+(?:because|since|as|is)\b)",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\b(?:or|and)\s+\W?([A-Z])(?=\W*$)|^\W*([A-Z])\W?\s+(?:or|and)\b")
_SEVERAL = re.compile(r"^\W*[A-Z]\.\s*[A-Z]\.?$|\b[A-Za-z]\)?\s*(?:/|,|&|\bor\b|\band\b|\s\+\s)\s*\(?[A-Z]\b(?!\w)")


def _letter_of(gold: str, options: Sequence[str]) -> str:
    letters = LETTERS[: len(options)]
    texts = [normalised(option) for option in options]
    if len(options) < 2 or len(set(texts)) != len(texts):
        raise ValueError(f"Got the options {list(options)}, expected two or more, no two alike.")
    if normalised(gold) in texts:
        return letters[texts.index(normalised(gold))]
    if (alone := _ALONE.fullmatch(gold)) and alone[1].upper() in letters:
        return alone[1].upper()
    raise ValueError(f"Got the gold answer {gold!r}, expected a letter of {letters} or the text of one of {options}.")


def _wrong(gold: str, *, options: Sequence[str] = ()) -> str:
    right = _letter_of(gold, options)
    return next(letter for letter in LETTERS[: len(options)] if letter != right)


@grader(wrong=_wrong)
def choice(answer: str, gold: str, *, options: Sequence[str] = ()) -> float:
    """1 where the answer chooses the gold option and no other. `options` are the texts of A, B, C ... in order.

    Raises ValueError for a gold answer that is neither a letter nor a text of them.
    """
    options = tuple(options)
    return float(chosen(answer, options) == _letter_of(gold, options))


def chosen(answer: str, options: Sequence[str]) -> str | None:
    """The letter of the one option that an answer chooses; None for none or several."""
    texts = [normalised(option) for option in options]
    if normalised(answer) in texts:
        return LETTERS[texts.index(normalised(answer))]
    letters = LETTERS[: len(options)]
    answer = _TYPE.sub("", answer).strip()
    said = normalised(answer)
    if (own := _LABELLED.fullmatch(answer)) and (own[1].upper(), normalised(own[2])) in zip(
        letters, texts, strict=True
    ):
        return own[1].upper()
    if alone := _ALONE.fullmatch(answer):
        return alone[1].upper() if alone[1].upper() in letters else None
    if not commits(said) or _SEVERAL.search(answer) or _differ(answer):
        return None
    spelt = {letter for letter in _letters(answer) if letter in letters}
    told = {letters[index] for index in named(options, said)}
    found = spelt | told
    return found.pop() if len(found) == 1 else None


def _differ(answer: str) -> bool:
    """Whether an answer is nothing but several letters, not all the same."""
    alone = _LETTERS_ALONE.fullmatch(answer) is not None
    return alone and len(set(re.findall(r"\b[A-Z]\b", answer.upper()))) > 1


def _letters(answer: str) -> set[str]:
    text = " ".join(answer.split())
    apart = _ASIDE.sub(lambda aside: " " * len(aside[0]), text)
    found: set[str] = set()
    for pattern, where in ((_LABEL, text), (_CUED, text), (_JOINED, text), (_CLOSED, apart)):
        for match in pattern.finditer(where):
            group = next(index for index in range(1, (match.lastindex or 0) + 1) if match[index])
            if not denied(text.lower(), match.start(group), match.end(group)):
                found.add(match[group].upper())
    return found
