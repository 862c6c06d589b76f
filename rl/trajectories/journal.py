"""A journal: the episodes of one writer that are not in a shard yet, one JSON line each.

Parquet files cannot be added to, and a shard for each episode would be thousands of files. So a finished episode is
first a line here, on the file at once; a line that a kill cut short is left out when read. The writer holds a lock on
its journal that ends with its process, however it ends, so that others know which journals are left behind.
"""

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from rl.trajectories.record import Trajectory

SUFFIX = ".jsonl"


class Journal:
    """One open journal; nobody else seals it while it is."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.episodes = 0
        """Episodes that were added by us."""
        self._file: IO[bytes] = path.open("ab", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def add(self, trajectory: Trajectory) -> None:
        """Appends one episode; it is with the system when this returns."""
        line = memoryview((json.dumps(trajectory.to_plain(), separators=(",", ":")) + "\n").encode())
        while line:
            line = line[self._file.write(line) :]
        self.episodes += 1

    def close(self) -> None:
        """Gives the lock back."""
        self._file.close()


def read_journal(path: Path) -> Iterator[Trajectory]:
    """Its whole lines in order; nothing where it was sealed meanwhile."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for line in content.split("\n"):
        if line.endswith("}"):
            try:
                yield Trajectory.from_plain(json.loads(line))
            except json.JSONDecodeError:
                continue


def count_lines(path: Path) -> int:
    """Its number of whole lines; 0 where it was sealed meanwhile."""
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def left_behind(path: Path) -> IO[bytes] | None:
    """The journal, open and locked for us, where its writer is gone; None while it is at work. Close it afterwards."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
