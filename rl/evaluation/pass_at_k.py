"""What several samples of one question say: at least one right (pass@k), all right (pass^k), how many say the same.

pass@k is the chance that a draw of k of the n samples holds a right one, 1 - C(n - c, k) / C(n, k) (Chen et al. 2021,
arXiv 2107.03374, equation 1): unbiased, where 1 - (1 - c/n)^k is not. pass^k is the chance that all k are right,
C(c, k) / C(n, k) (Yao et al. 2024, arXiv 2406.12045): what a user meets who asks k times.
"""

from collections import Counter
from collections.abc import Sequence
from math import comb

from rl.graders import normalised


def pass_at(k: int, samples: int, right: int) -> float:
    """Chance that k of the samples, drawn without putting back, hold at least one right one. ValueError for k > n."""
    _check(k, samples, right)
    return 1 - comb(samples - right, k) / comb(samples, k)


def pass_all(k: int, samples: int, right: int) -> float:
    """Chance that k of the samples, drawn without putting back, are all right. ValueError for k > n."""
    _check(k, samples, right)
    return comb(right, k) / comb(samples, k)


def steps(samples: int) -> list[int]:
    """The k that are reported: 1, 2, 4, ... and all samples."""
    powers = [1 << place for place in range(samples.bit_length()) if 1 << place <= samples]
    return sorted({*powers, samples})


def agreement(answers: Sequence[str | None]) -> list[float]:
    """For each answer the share of all samples that say the same; of an abstention, the share that abstain."""
    said = [None if answer is None else normalised(answer) for answer in answers]
    counts = Counter(said)
    return [counts[each] / len(said) for each in said]


def _check(k: int, samples: int, right: int) -> None:
    if not 1 <= k <= samples or not 0 <= right <= samples:
        raise ValueError(f"Got k={k} and {right} right of {samples} samples, expected 1 <= k <= samples >= right >= 0.")
