"""Two Gymnasium spaces for what an agent reads and writes: any text, and any number of pictures of any size.

Gymnasium's own `Text` holds a listed alphabet and `Sequence` boxes of one shape; questions have accents and units, and
a tool returns pictures of many shapes. In a vector of environments both are batched as tuples, one entry each, so an
asynchronous one needs `shared_memory=False`.
"""

import string
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(height, width, 3), RGB."""
_MOST_SAMPLED = 3
_SIDE_SAMPLED = 16


class AnyText(spaces.Text):
    """Text of any characters, at most `max_length` of them; samples are of printable ASCII."""

    def __init__(self, max_length: int, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable, seed=seed)

    def contains(self, x: Any) -> bool:
        """Whether `x` is text that is short enough."""
        return isinstance(x, str) and len(x) <= self.max_length


class Pictures(spaces.Space[tuple[Picture, ...]]):
    """A tuple of RGB pictures, (height, width, 3) of uint8 each."""

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(None, None, seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Never: it has no fixed number of values."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> tuple[Picture, ...]:
        """Up to three small pictures of noise. Neither `mask` nor `probability` is known."""
        count = int(self.np_random.integers(_MOST_SAMPLED + 1))
        sizes = self.np_random.integers(1, _SIDE_SAMPLED + 1, (count, 2)).tolist()
        return tuple(self.np_random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes)

    def contains(self, x: Any) -> bool:
        """Whether `x` is a tuple of such pictures."""
        return isinstance(x, tuple) and all(map(_is_picture, cast("tuple[object, ...]", x)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pictures)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return "Pictures()"


def _is_picture(value: object) -> bool:
    if not isinstance(value, np.ndarray):
        return False
    pixels = cast("NDArray[Any]", value)
    return pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
