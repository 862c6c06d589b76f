"""The stamp: a hash of all that decides what .venv holds. Equal stamps mean that a set-up has nothing to do."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

STAMP = Path(".venv/medvista-setup")


def fingerprint(files: Iterable[Path], facts: Iterable[str]) -> str:
    """A SHA-256 over each file's path and content, in order of path, and over `facts` (accelerator, Python, place)."""
    digest = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.as_posix()} {len(content)}\n".encode())
        digest.update(content)
    for fact in facts:
        digest.update(f"{fact}\n".encode())
    return digest.hexdigest()


def is_current(expected: str, stamp: Path = STAMP) -> bool:
    """Whether the last set-up ended well, with just this fingerprint."""
    return stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == expected


def write(value: str, stamp: Path = STAMP) -> None:
    """Leave the stamp; called last, so that an interrupted set-up starts over."""
    stamp.write_text(value + "\n", encoding="utf-8")
