"""What follows from an image's content alone: which of its questions are drawn, and by what names they are known."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np


def stream_of(image_id: str) -> np.random.Generator:
    """A random stream that is the image's own (`image_id`: hexadecimal digits, 16 at least)."""
    return np.random.default_rng(int(image_id[:16], 16))


def numbered(asked: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(name, kind, fields): a kind's second question about an image is named kind/2, its third kind/3."""
    seen: Counter[str] = Counter()
    for kind, fields in asked:
        seen[kind] += 1
        yield (kind if seen[kind] == 1 else f"{kind}/{seen[kind]}"), kind, fields
