"""What every grader is: a rule that scores an answer against the gold one, and a wrong answer that proves it can say
no.

A grader is a function `(answer, gold, *, rules...) -> float` in 0 to 1: 1.0 right, 0.0 wrong. An answer that the rule
cannot read is wrong; a gold answer, or a rule, that makes no sense is a broken task and raises ValueError. No model
judges (but in judge.py, which says so), and nothing is guessed in favour of the answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

from tools.discovery import check_free, import_all

Score = Callable[..., float]
"""(answer, gold, **rules) -> 0.0 to 1.0."""
Wrong = Callable[..., str]
"""(gold, **rules) -> an answer that the rule can read and must not take for right."""

ENTRY_POINT_GROUP = "medvista.graders"


@dataclass(frozen=True)
class Grader:
    """One rule."""

    name: str
    score: Score
    wrong: Wrong


_graders: dict[str, Grader] = {}


def grader(wrong: Wrong) -> Callable[[Score], Score]:
    """Registers the decorated function as the grader of its own name."""

    def register(score: Score) -> Score:
        name, before = score.__name__, _graders.get(score.__name__)
        check_free("grader", name, score, before and before.score)
        _graders[name] = Grader(name, score, wrong)
        return score

    return register


def graders() -> Mapping[str, Grader]:
    """All graders by name."""
    import_all("rl.graders", ENTRY_POINT_GROUP, "grader")
    return _graders


def find(name: str) -> Grader:
    """The grader of that name. Raises KeyError that names those there are."""
    known = graders()
    if name not in known:
        raise KeyError(f"Got grader {name!r}, expected one of {', '.join(sorted(known))}.")
    return known[name]


def grade(name: str, answer: str | None, gold: str, rules: Mapping[str, Any] | None = None) -> float:
    """How right `answer` is by that grader; no answer, or an abstention, is not right.

    Raises KeyError for an unknown grader, ValueError for a gold answer or rules that it cannot use.
    """
    chosen = find(name)
    if answer is None or not answer.strip():
        return 0.0
    return chosen.score(answer, gold, **_understood(chosen, rules))


def wrong_answer(name: str, gold: str, rules: Mapping[str, Any] | None = None) -> str:
    """An answer that must score 0. Raises as `grade`."""
    chosen = find(name)
    return chosen.wrong(gold, **_understood(chosen, rules))


def _understood(chosen: Grader, rules: Mapping[str, Any] | None) -> dict[str, Any]:
    given = dict(rules or {})
    known = {name for name, each in signature(chosen.score).parameters.items() if each.kind is Parameter.KEYWORD_ONLY}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"Got the rules {unknown} for grader {chosen.name!r}, expected some of {sorted(known)}.")
    return given
