"""Which split an image belongs to: decided by its content alone, so that equal images never part.

A share of the hash space each. Adding images moves none of the others, and whoever has only some of the files gets
the same splits of those.
"""

import hashlib
from typing import Literal

Split = Literal["train", "validation", "test"]
SHARES: dict[Split, float] = {"train": 0.7, "validation": 0.1, "test": 0.2}


def split_of(key: str, salt: str = "") -> Split:
    """The split of the image with this content; `salt` (a set's name) makes sets independent of each other."""
    share = share_of(key, salt)
    if share < SHARES["train"]:
        return "train"
    return "validation" if share < SHARES["train"] + SHARES["validation"] else "test"


def share_of(key: str, salt: str) -> float:
    """A number from 0 to 1 that depends on the key and salt alone, even over keys."""
    return int.from_bytes(hashlib.sha256(f"{salt}\n{key}".encode()).digest()[:8], "big") / 2**64
