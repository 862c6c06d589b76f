"""How sure a mean is: percentile bootstrap intervals, for one condition and for the difference of two.

A difference is bootstrapped over tasks, each condition's score of a task staying together: how hard a task is then
cancels out, and the interval is as narrow as the data allow. What nothing is known about is NaN with n = 0, never a
quiet 0. Formula: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. Where all values are alike
the interval has no width, which says that the sample showed no variation, not that there is none.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
COVERED = (2.5, 97.5)
"""Percentiles that bound a 95 % interval."""

_BLOCK = 4_000_000
"""Drawn values held in memory at once."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int
    """Values it rests on; with 0 the three numbers are NaN."""

    @property
    def ci95(self) -> list[float]:
        """[low, high]."""
        return [self.low, self.high]

    def scaled(self, factor: float) -> "Estimate":
        """The same in another unit, e.g. `scaled(100)` for percentage points; `factor` > 0."""
        return Estimate(self.mean * factor, self.low * factor, self.high * factor, self.n)


UNDEFINED = Estimate(math.nan, math.nan, math.nan, 0)


def mean(values: Sequence[float]) -> float:
    """The mean; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def bootstrap_mean(values: Sequence[float], resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """The mean of `values` with its percentile bootstrap interval; `seed` makes it repeatable.

    Raises ValueError where a value is NaN or infinite: leave an undefined score out and count it.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        return UNDEFINED
    if not np.isfinite(sample).all():
        bad = int((~np.isfinite(sample)).sum())
        raise ValueError(
            f"Got {bad} of {sample.size} values that are NaN or infinite, expected finite ones: "
            "leave undefined scores out and count them."
        )
    low, high = np.percentile(_resampled_means(sample, resamples, seed), COVERED)
    return Estimate(mean(values), float(low), float(high), sample.size)


def _resampled_means(sample: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """(resamples,) means of as many draws with replacement, in blocks so that a large sample needs no large memory."""
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // sample.size)
    blocks = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    return np.concatenate([sample[rng.integers(sample.size, size=(rows, sample.size))].mean(1) for rows in blocks])


class Scored(NamedTuple):
    """One question's value, and what it shares with other questions."""

    cluster: str
    """The image that it is about: answers about one image fall together, so images are resampled, not questions."""
    value: float


def clustered_mean(scores: Sequence[Scored], resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """The mean over questions, with the interval of a bootstrap that draws whole images (Davison and Hinkley, Bootstrap
    Methods and their Application, 1997, section 3.8). ValueError where a value is NaN or infinite.
    """
    return macro_mean([scores], resamples, seed)


def macro_mean(groups: Sequence[Sequence[Scored]], resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """The mean of the groups' means, each group's images drawn within it; groups without questions are left out.

    `n` counts the questions of all groups.
    """
    filled = [group for group in groups if group]
    if not filled:
        return UNDEFINED
    if not all(math.isfinite(each.value) for group in filled for each in group):
        raise ValueError("Got values that are NaN or infinite: leave undefined scores out and count them.")
    rng = np.random.default_rng(seed)
    drawn = sum(_drawn_means(group, resamples, rng) for group in filled) / len(filled)
    low, high = np.percentile(drawn, COVERED)
    centre = mean([mean([each.value for each in group]) for group in filled])
    return Estimate(centre, float(low), float(high), sum(map(len, filled)))


def paired(first: Mapping[str, Scored], second: Mapping[str, Scored]) -> list[Scored]:
    """`first` minus `second` for each question (by id) that both hold; to be given to the two means above."""
    shared = sorted(first.keys() & second.keys())
    return [Scored(first[each].cluster, first[each].value - second[each].value) for each in shared]


def _drawn_means(group: Sequence[Scored], resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(resamples,) means over the questions of as many draws of as many images as there are."""
    names = sorted({each.cluster for each in group})
    place = {name: index for index, name in enumerate(names)}
    which = np.array([place[each.cluster] for each in group])
    sums = np.bincount(which, weights=[each.value for each in group], minlength=len(names))
    sizes = np.bincount(which, minlength=len(names))
    rows = max(1, _BLOCK // len(names))
    means: list[NDArray[np.float64]] = []
    for start in range(0, resamples, rows):
        drawn = rng.integers(len(names), size=(min(rows, resamples - start), len(names)), dtype=np.int32)
        means.append(sums[drawn].sum(1) / sizes[drawn].sum(1))
    return np.concatenate(means)
