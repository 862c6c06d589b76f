"""The files of a report, each written beside its place and renamed into it: a reader never meets half a file."""

from pathlib import Path

from tools.private_files import private_folder, write_private


def write_whole(path: Path, content: bytes) -> Path:
    """Writes `content` to `path`, replacing what was there, whole or not at all; for its owner alone.

    Its folder is made where missing. Raises WriteError.
    """
    private_folder(path.parent)
    write_private(path, content)
    return path
