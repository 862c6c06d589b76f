"""Which images two splits share: exactly (the same pixels), and nearly (the same picture saved or cut anew).

Near-duplicates are found by a difference hash (dHash): the picture in 9 x 8 greys, one bit for each pixel that is
brighter than its left neighbour. Copies that were re-encoded, resized or slightly windowed differ in few of the 64
bits. Pictures of one kind (chest x-rays, say) can be near without being copies, so a near pair is a candidate to look
at, an exact one a leak.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from PIL import Image

from rl.tasks.task import Task
from tools.images.store import ImageStore

NEAR = 3
"""Bits of 64 up to which two pictures are near; unrelated ones differ in 32 on average, by chance in fewer than 10 once
in 10^8 pairs."""
FLAT = 6
"""A picture with fewer set bits than this, or unset ones, has no structure to compare and is compared exactly only."""


@dataclass(frozen=True)
class Leak:
    """A pair of images in two splits."""

    splits: tuple[str, str]
    images: tuple[str, str]
    """Their store ids; the same id twice for an exact leak."""
    bits: int
    """Bits of the difference hash that differ."""

    @property
    def exact(self) -> bool:
        """The same pixels."""
        return self.images[0] == self.images[1]


def difference_hash(picture: Image.Image) -> int:
    """The 64-bit difference hash of a picture."""
    grey = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS), np.int16)
    return int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")


def leaks(splits: Mapping[str, Sequence[Task]], store: ImageStore, near: int = NEAR) -> list[Leak]:
    """Every image that two splits share exactly, and every pair of others that differ in at most `near` bits."""
    images = {split: dict.fromkeys(image for task in tasks for image in task.images) for split, tasks in splits.items()}
    hashes = {
        image: difference_hash(store.get(image).display())
        for image in dict.fromkeys(image for found in images.values() for image in found)
    }
    return [
        leak
        for first, second in combinations(splits, 2)
        for leak in _between((first, second), list(images[first]), list(images[second]), hashes, near)
    ]


def _between(
    splits: tuple[str, str], first: Sequence[str], second: Sequence[str], hashes: Mapping[str, int], near: int
) -> Iterator[Leak]:
    shared = set(first) & set(second)
    yield from (Leak(splits, (image, image), 0) for image in first if image in shared)
    others = [image for image in second if image not in shared and not _flat(hashes[image])]
    codes = np.asarray([hashes[image] for image in others], np.uint64)
    for image in first:
        if image not in shared and not _flat(hashes[image]) and len(codes):
            bits = np.bitwise_count(codes ^ np.uint64(hashes[image]))
            for index in map(int, np.flatnonzero(bits <= near)):
                yield Leak(splits, (image, others[index]), int(bits[index]))


def _flat(code: int) -> bool:
    return not FLAT <= code.bit_count() <= 64 - FLAT


def report(splits: Mapping[str, Sequence[Task]], found: Sequence[Leak]) -> str:
    """For people: for each pair of splits how many images of the second one are in the first, exactly and nearly."""
    lines: list[str] = []
    for first, second in combinations(splits, 2):
        images = {image for task in splits[second] for image in task.images}
        between = [leak for leak in found if leak.splits == (first, second)]
        exact = {leak.images[1] for leak in between if leak.exact}
        nearly = {leak.images[1] for leak in between if not leak.exact} - exact
        lines.append(
            f"{first} and {second}: {len(exact)} of the {len(images)} images of {second} are in {first} exactly, "
            f"{len(nearly)} more nearly"
        )
        lines += [
            f"  near ({leak.bits} bits): {leak.images[0][:12]} {leak.images[1][:12]}"
            for leak in between
            if not leak.exact
        ]
    return "\n".join(lines)
