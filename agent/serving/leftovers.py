"""What a killed owner leaves, found again by its mark, and cleared. Standard library only.

Whoever starts processes that could outlive it owns a temporary folder, and holds a lock in it. The kernel frees the
lock when the last of the owner's processes is gone, however it died and in whatever container: a folder whose lock is
free has no owner. Every process that belongs to the folder carries its path in its environment, and names its shared
memory after it (agent/serving/confined), so that what is left of a folder can be told from everybody else's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "MEDVISTA_TEMPORARY"
"""Environment variable of all that an owner starts: the path of its temporary folder."""
LOCK = "medvista-owner"
SHARED_MEMORY = Path("/dev/shm")
END_S = 10.0
"""Seconds in which killed processes must be gone."""


def marks(temporary: Path) -> dict[str, str]:
    """The environment by which processes are known to belong to `temporary`."""
    return {MARK: str(temporary), "SPT_NOENV": "1"}  # or setting a process's title would overwrite its environment


def own(temporary: Path) -> int:
    """Become the owner of `temporary`, as long as the returned file descriptor is open here or in a fork."""
    new = temporary / f"{LOCK}.new"
    lock = os.open(new, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    new.rename(temporary / LOCK)  # seen by others only once it is held
    return lock


def sweep(where: Path) -> None:
    """Clear the folders in `where` that are ours and whose owner is gone."""
    for lock in where.glob(f"*/{LOCK}"):
        try:
            if lock.parent.is_symlink() or lock.parent.stat().st_uid != os.geteuid():
                continue
            opened = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # another process clears it, or it is no file of ours
            continue
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clear(lock.parent)
        except BlockingIOError:  # its owner lives
            continue
        finally:
            os.close(opened)


def clear(temporary: Path) -> None:
    """End all processes of `temporary`; remove their shared memory, then the folder. Done twice it does nothing."""
    deadline = time.monotonic() + END_S
    while (left := list(marked(temporary))) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)
    for segment in SHARED_MEMORY.glob(f"{temporary.name}-*"):
        segment.unlink(missing_ok=True)
    shutil.rmtree(temporary, ignore_errors=True)


def marked(temporary: Path) -> Iterator[int]:
    """Living processes, other than this one, that carry the mark of `temporary`; none on systems without /proc."""
    mark = f"{MARK}={temporary}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.stat().st_uid != os.geteuid() or int(entry.name) == os.getpid():
                continue
            if mark in (entry / "environ").read_bytes().split(b"\0"):  # that of a dead one is empty
                yield int(entry.name)
        except OSError:  # it ended meanwhile, or is not ours to read
            continue
