"""Locks that a killed compilation left, which the next would wait for without end and without a word.

DeepSpeed compiles its ops on first use, one process at a time: torch's FileBaton makes a file called `lock` and keeps
it open until it is done. A lock that no process has open is nobody's.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

LOCK = "lock"


def extensions_folder(environment: Mapping[str, str]) -> Path:
    """Where torch keeps what it compiled, in processes of this environment."""
    kept = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torch_extensions"
    return Path(environment.get("TORCH_EXTENSIONS_DIR") or kept)


def remove_stale_locks(extensions: Path) -> list[Path]:
    """Removes the locks of ours in `extensions` whose process is gone; returns them."""
    locks = [lock for lock in extensions.rglob(LOCK) if lock.is_file() and lock.stat().st_uid == os.geteuid()]
    held = set(_open_files()) if locks else set[tuple[int, int]]()
    stale = [lock for lock in locks if _file(lock) not in held]
    for lock in stale:
        lock.unlink(missing_ok=True)
    return stale


def _open_files() -> Iterator[tuple[int, int]]:
    """(device, inode) of every file that a process of this user has open; another user's lock is not ours to judge."""
    for opened in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            yield _file(opened)
        except OSError:  # the process ended, or closed it, meanwhile
            continue


def _file(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
