"""Which tasks a report shows, answered by one policy or by two, as before and after training; how many changed.

Chosen by rule, not by hand: each kind in turn, first tasks that the second policy mended; two places are kept for tasks
that it gets wrong, where there are any, so that the page never shows successes only. The counts say how usual each of
these is.
"""

from collections.abc import Sequence
from itertools import chain, zip_longest

from rl.trajectories.record import Trajectory

Pair = Sequence[Trajectory]
"""Episodes of one task: of one policy, or of the two that are compared; the last one decides what is shown."""

WRONG = 2
"""Places kept for tasks that the last policy gets wrong."""


def pair_up(policies: Sequence[Sequence[Trajectory]]) -> list[Pair]:
    """The tasks that every policy holds, in the order of the last; of several episodes of a task, the first."""
    held = [{str(each.task["id"]): each for each in reversed(episodes)} for episodes in policies]
    order = dict.fromkeys(str(each.task["id"]) for episodes in policies[-1:] for each in episodes)
    return [[each[task] for each in held] for task in order if all(task in each for each in held)]


def changes(pairs: Sequence[Pair]) -> dict[str, int]:
    """How many tasks were mended (wrong, then right), broken, right both times, wrong both times."""
    names = {(False, True): "mended", (True, False): "broken", (True, True): "right", (False, False): "wrong"}
    counts = dict.fromkeys(names.values(), 0)
    for pair in pairs:
        counts[names[pair[0].correct, pair[-1].correct]] += 1
    return counts


def choose(pairs: Sequence[Pair], count: int = 8) -> list[Pair]:
    """`count` pairs to show (fewer where there are fewer): right of the last policy, mended ones first, then wrong."""
    wrong = _each_kind_in_turn([pair for pair in pairs if not pair[-1].correct])
    right = _each_kind_in_turn(sorted((pair for pair in pairs if pair[-1].correct), key=lambda pair: pair[0].correct))
    kept = min(count, max(min(WRONG, len(wrong)), count - len(right)))
    return [*right[: count - kept], *wrong[:kept]]


def _each_kind_in_turn(pairs: Sequence[Pair]) -> list[Pair]:
    kinds: dict[str, list[Pair]] = {}
    for pair in pairs:
        kinds.setdefault(str(pair[-1].task["kind"]), []).append(pair)
    turns = zip_longest(*kinds.values())
    return [pair for pair in chain.from_iterable(turns) if pair is not None]
