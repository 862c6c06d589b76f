"""Files and folders that only their owner may read, whatever the umask, written whole or not at all.

Images of patients and what was said about them are nobody else's on a shared machine. A file that we write is 0600, a
folder that we make is 0700; a folder that was there before keeps its mode, because it is somebody's decision. What a
full disk, a read-only folder or a limit refuses is a WriteError that says so, and no half of a file stays behind.
"""

import errno
import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class WriteError(OSError):
    """A file could not be written; the message says where, why, and how to mend it."""


@contextmanager
def clear_write_errors(path: str | os.PathLike[str]) -> Generator[None]:
    """Inside, an OSError becomes a WriteError about `path`, which is being written."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(_told(Path(path), error)) from error


def private_folder(path: str | os.PathLike[str]) -> Path:
    """The folder, made with those above it where they are missing. Raises WriteError."""
    folder = Path(path)
    with clear_write_errors(folder):
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            with suppress(FileExistsError):  # another process was first
                each.mkdir(PRIVATE_FOLDER)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return folder


def private_opener(path: str | os.PathLike[str], flags: int) -> int:
    """For `open(path, mode, opener=private_opener)`: a file that is made is 0600, one of ours that was wider turns so.

    For files that are appended to; `write_private` is for those that are written at once. Raises OSError.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC, PRIVATE_FILE)
    found = os.fstat(descriptor)
    if found.st_uid == os.geteuid() and found.st_mode & 0o077:
        os.fchmod(descriptor, PRIVATE_FILE)
    return descriptor


def write_private(path: str | os.PathLike[str], content: bytes | bytearray | memoryview) -> None:
    """Puts `content` at `path` in one step, in place of what was there; its folder exists. Raises WriteError.

    It is written beside its place and renamed into it. Nothing of it stays where that fails, or is interrupted.
    """
    place = Path(path)
    unfinished = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    with clear_write_errors(place):
        try:
            with open(unfinished, "xb", opener=private_opener) as file:
                file.write(content)
            unfinished.replace(place)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def write_whole(path: Path, content: bytes) -> Path:
    """Writes `content` to `path` as `write_private` does, and makes its folder where missing. Raises WriteError."""
    private_folder(path.parent)
    write_private(path, content)
    return path


def _told(path: Path, error: OSError) -> str:
    if error.errno in _FULL:
        return f"Got no room to write {path} ({error.strerror}). Make room there, or name a folder on another disk."
    if error.errno in _FORBIDDEN:
        return f"Got a place that may not be written, {path} ({error.strerror}). Name a folder of yours, or allow it."
    return f"Got {error.strerror or error} when writing {path}, expected a folder that files can be written to."
