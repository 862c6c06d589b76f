"""Which tasks a report shows before and after training, and how many changed.

Chosen by rule, not by hand: each kind in turn, first tasks that the training mended; two places are kept for tasks that
are still or newly wrong, where there are any, so that the page never shows successes only. The counts say how usual
each of these is.
"""

from collections.abc import Sequence
from itertools import chain, zip_longest

from rl.trajectories.record import Trajectory

Pair = tuple[Trajectory, Trajectory]
"""Two episodes of one task: before training and after."""

WRONG = 2
"""Places kept for tasks that the trained policy gets wrong."""


def pair_up(before: Sequence[Trajectory], after: Sequence[Trajectory]) -> list[Pair]:
    """The pairs of the tasks that both hold, in the order of `after`; of several episodes of a task, the first."""
    first: dict[str, Trajectory] = {}
    for each in before:
        first.setdefault(str(each.task["id"]), each)
    last: dict[str, Trajectory] = {}
    for each in after:
        last.setdefault(str(each.task["id"]), each)
    return [(first[task], each) for task, each in last.items() if task in first]


def changes(pairs: Sequence[Pair]) -> dict[str, int]:
    """How many tasks were mended (wrong, then right), broken, right both times, wrong both times."""
    names = {(False, True): "mended", (True, False): "broken", (True, True): "right", (False, False): "wrong"}
    counts = dict.fromkeys(names.values(), 0)
    for before, after in pairs:
        counts[names[before.correct, after.correct]] += 1
    return counts


def choose(pairs: Sequence[Pair], count: int = 8) -> list[Pair]:
    """`count` pairs to show (fewer where there are fewer): right after training, mended ones first, then wrong."""
    wrong = _each_kind_in_turn([pair for pair in pairs if not pair[1].correct])
    right = _each_kind_in_turn(sorted((pair for pair in pairs if pair[1].correct), key=lambda pair: pair[0].correct))
    kept = min(count, max(min(WRONG, len(wrong)), count - len(right)))
    return [*right[: count - kept], *wrong[:kept]]


def _each_kind_in_turn(pairs: Sequence[Pair]) -> list[Pair]:
    kinds: dict[str, list[Pair]] = {}
    for pair in pairs:
        kinds.setdefault(str(pair[1].task["kind"]), []).append(pair)
    turns = zip_longest(*kinds.values())
    return [pair for pair in chain.from_iterable(turns) if pair is not None]
