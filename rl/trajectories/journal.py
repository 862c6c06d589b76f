"""A journal: the episodes of one writer that are not in a shard yet, one JSON line each.

Parquet files cannot be added to, and a shard for each episode would be thousands of files. So a finished episode is
first a line here, on the file at once; a line that a kill cut short is left out when read, and one that a full disk
cut short is taken back, so that the next does not continue it. A line is with the system, not forced to the disk: no
kill of ours loses it, a power cut may, as it may lose the checkpoint that was trained on it. A shard is forced there.

The writer holds a lock on its journal that ends with its process, however it ends, so that others know which journals
are left behind.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from rl.trajectories.record import Trajectory
from tools.private_files import clear_write_errors, private_folder, private_opener

SUFFIX = ".jsonl"
_ID = re.compile(rb'\{"id":\s*("(?:[^"\\]|\\.)*")')
"""How each line begins."""


class Journal:
    """One open journal; nobody else seals it while it is. Raises WriteError where its folder cannot be written."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        self.path = path
        self.episodes = 0
        """Episodes that were added by us."""
        with clear_write_errors(path):
            descriptor = private_opener(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._file: IO[bytes] = os.fdopen(descriptor, "ab", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def add(self, trajectory: Trajectory) -> None:
        """Appends one episode; it is with the system when this returns. Raises WriteError; then nothing of it stays."""
        line = memoryview((json.dumps(trajectory.to_plain(), separators=(",", ":")) + "\n").encode())
        end = os.fstat(self._file.fileno()).st_size
        with clear_write_errors(self.path):
            try:
                while line:
                    line = line[self._file.write(line) :]
            finally:
                if line:
                    self._file.truncate(end)
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


def ids_in(path: Path) -> list[str]:
    """The ids of its whole lines in order, the rest of which is not read; none where it was sealed meanwhile."""
    try:
        with path.open("rb") as file:
            found = [_ID.match(line) for line in file if line.endswith(b"}\n")]
    except FileNotFoundError:
        return []
    return [json.loads(each[1]) for each in found if each]


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
