"""One question of a published benchmark, whatever its authors' layout; each loader yields these."""

from dataclasses import dataclass
from pathlib import Path

from tools.geometry import PixelBox

Picture = Path | bytes
"""A file, or its content."""

OFFICIAL = {"train": "train", "val": "validation", "validate": "validation", "validation": "validation", "test": "test"}
"""What authors call their splits."""


@dataclass(frozen=True)
class Item:
    """One question."""

    key: str
    """Unique in its set."""
    question: str
    answer: str
    """The gold answer: of a multiple choice its letter or text."""
    images: tuple[Picture, ...]
    kind: str
    official: str | None = None
    """The split that its authors gave it, as one of train, validation, test; None where they gave none."""
    options: tuple[str, ...] = ()
    """The texts of A, B, C ...; empty for a question that is no multiple choice."""
    regions: tuple[tuple[int, PixelBox], ...] = ()
