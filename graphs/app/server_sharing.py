"""Several processes and threads, one server: who looks for it, who uses it. Locks on files; the kernel gives them back.

Two that look at once would start two, so one looks and starts at a time. A process that has been given a server is its
user until it ends, and a server with another user is not replaced. Neither needs a clock, nor anybody to tidy up.
"""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from agent.serving.server_record import ServerRecord

_held: dict[Path, int] = {}
"""By users file: the descriptor whose lock says that this process is a user. Changed while `one_at_a_time`."""


@contextmanager
def one_at_a_time(folder: Path, waits: Callable[[], None]) -> Generator[None]:
    """For us alone in `folder`: among threads, too. Calls `waits` before it waits for another."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "connecting.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def use(folder: Path, server: ServerRecord) -> None:
    """Make this process a user of `server` until it ends; while `one_at_a_time`. Servers before it are forgotten."""
    path = _users(folder, server)
    for stale in set(path.parent.glob("server-*.users")) - {path}:
        stale.unlink()
        if stale in _held:
            os.close(_held.pop(stale))
    if path not in _held:
        _held[path] = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(_held[path], fcntl.LOCK_SH)


def has_other_users(folder: Path, server: ServerRecord) -> bool:
    """Whether another process uses `server`; while `one_at_a_time`."""
    path = _users(folder, server)
    ours = _held.get(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600) if ours is None else ours
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        if ours is None:
            os.close(descriptor)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
    return False


def _users(folder: Path, server: ServerRecord) -> Path:
    return folder.resolve() / f"server-{server.pid}.users"
