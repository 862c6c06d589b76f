"""The hidden folder in which a version is made, and what a kill left of others.

A version is as large as its model, so half of one must not stay for ever. Who makes one holds a lock on the versions
folder, which ends with the process, however it ends: whoever holds it knows that the other half-made ones are nobody's,
and sweeps them away. Two that publish to one folder do it one after the other.
"""

import fcntl
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".publishing"
_UNFINISHED = re.compile(r"\.[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.[a-z0-9_]{8}")
"""`.VERSION.` and what `tempfile` adds."""


@contextmanager
def unfinished(versions: Path, version: str) -> Generator[Path]:
    """A folder, in `versions`, to make a version in; waits while another process makes one.

    What has not been renamed away goes at the end.
    """
    with (versions / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_unfinished(versions)
        folder = Path(tempfile.mkdtemp(prefix=f".{version}.", dir=versions))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(versions: Path) -> None:
    """Removes the half-made versions of makers that are gone; nothing while somebody makes one."""
    if not versions.is_dir():
        return
    with (versions / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _remove_unfinished(versions)


def _remove_unfinished(versions: Path) -> None:
    for folder in versions.iterdir():
        if _UNFINISHED.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
