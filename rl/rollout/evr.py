"""EVR, entropy-guided visual regrounding: which tool calls of a group's fresh episodes are sampled a second time.

A policy that is less sure of where to look than of the words before it should look again elsewhere (MedVR, arXiv
2604.08203). For each call, dH is the mean entropy of its argument tokens less that of the turn's first tokens, both
over the logarithm of the vocabulary's size; a call branches with probability P_base + gamma * dH, cut to 0..1. The
defaults are those of ARPO (arXiv 2507.19849), from which the form comes. A group keeps its size exactly: what branches
is half of it at most, and where fewer calls branch, fresh episodes fill the rest.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.chat.record.positions import Turn

ARGUMENTS = '"arguments":'
CALL_START, CALL_END = "<tool_call>", "</tool_call>"
Episode = TypeVar("Episode")


@dataclass(frozen=True)
class Branching:
    """When a call branches."""

    base: float = 0.5
    gamma: float = 0.5
    first: int = 20
    """Tokens at the turn's beginning with which a call's are compared; fewer where its arguments begin earlier."""
    alternatives: int = 10
    """The likeliest tokens over which an entropy is taken."""

    def probability(self, rise: float) -> float:
        """Of branching at a call whose dH is `rise`."""
        return min(1.0, max(0.0, self.base + self.gamma * rise))


@dataclass(frozen=True)
class Call:
    """A call that an episode may be forked at."""

    turn: Turn
    """The turn in which it stands."""
    position: int
    """Sampled ids of that turn that a fork keeps: all before the call's arguments."""
    rise: float
    """dH."""


def calls_of(turn: Turn, decode: Callable[[Sequence[int]], str], vocabulary: int, branching: Branching) -> list[Call]:
    """The calls of one turn that was sampled with entropies, in order; one that has no token of arguments of its own,
    or lies in what the turn was forked behind, is left out. `decode` gives the text of a beginning of its ids.
    """
    ids, entropies = turn.completion.token_ids, turn.completion.entropies
    found: list[Call] = []
    for start, end in argument_spans(ids, decode):
        before = entropies[: min(start, branching.first)]
        if before and start > turn.kept:
            rise = (_mean(entropies[start:end]) - _mean(before)) / math.log(vocabulary)
            found.append(Call(turn, start, rise))
    return found


def argument_spans(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> list[tuple[int, int]]:
    """(start, end) of the ids of each call's arguments: those that begin within them."""
    text = decode(ids)
    spans: list[tuple[int, int]] = []
    position = 0
    while (call := text.find(CALL_START, position)) >= 0 and (end := text.find(CALL_END, call)) >= 0:
        arguments = text.find(ARGUMENTS, call, end)
        if arguments >= 0:
            first, last = (_token_at(ids, decode, at) for at in (arguments + len(ARGUMENTS), end))
            if first < last:
                spans.append((first, last))
        position = end
    return spans


def _token_at(ids: Sequence[int], decode: Callable[[Sequence[int]], str], offset: int) -> int:
    """The first id whose text begins at `offset` or later."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        if len(decode(ids[:middle])) >= offset:
            high = middle
        else:
            low = middle + 1
    return low


def chosen(
    calls: Sequence[tuple[Episode, Call]], budget: int, branching: Branching, random: random.Random
) -> list[tuple[Episode, Call]]:
    """The calls to branch at, at most `budget`: each is drawn with its probability, the most uncertain are kept."""
    drawn = [each for each in calls if random.random() < branching.probability(each[1].rise)]
    return sorted(drawn, key=lambda each: -each[1].rise)[:budget]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
