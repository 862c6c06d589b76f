"""The files of a report, each written beside its place and renamed into it: a reader never meets half a file."""

import uuid
from pathlib import Path


def write_whole(path: Path, content: bytes) -> Path:
    """Writes `content` to `path`, replacing what was there, whole or not at all. Its folder is made where missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
