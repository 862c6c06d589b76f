"""A running server that another process started, found by its record file: enough of one for a hot swap.

The history of versions is in the record, so every process that reads it there (`RecordedVersions`) stamps rightly. A
process that started the server and samples from it keeps a history of its own: swap there, not here.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from agent.serving.checkpoint import Checkpoint
from agent.serving.server_command import ServerError, ServerOptions
from agent.serving.server_record import ServerRecord, find_server, write_record
from agent.serving.versions import LiveVersions


class AttachedServer:
    """The server of a record; `checkpoint` is what it holds now."""

    def __init__(self, path: Path, record: ServerRecord, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.versions = LiveVersions(*record.versions)
        self.options = ServerOptions(host=record.host, port=record.port)
        self.base_url = record.base_url
        self.log: Path | None = Path(record.log)
        self.swapping = asyncio.Lock()
        self._path = path
        self._record = record

    def went_live(self, checkpoint: Checkpoint) -> None:
        """Note that the engine holds `checkpoint` now, in the record file too."""
        self.checkpoint = checkpoint
        if self.versions.live != checkpoint.version:
            self.versions.switch(checkpoint.version)
        live = {"checkpoint": str(checkpoint.folder.resolve()), "versions": self.versions.history()}
        self._record = self._record.model_copy(update=live)
        write_record(self._path, self._record)


@contextmanager
def attached(path: Path, open_folder: Callable[[Path], Checkpoint]) -> Generator[AttachedServer]:
    """The running server of the record at `path`, for us alone: no other process attaches meanwhile.

    `open_folder` opens the checkpoint that it holds. Raises ServerError where none runs, or another process has it.
    """
    record = find_server(path)
    if record is None:
        raise ServerError(f"got no running server in {path}, expected one to swap; start it by asking it a question")
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServerError(f"got the server of {path} in another process's swap, expected it free; wait") from error
        yield AttachedServer(path, find_server(path) or record, open_folder(Path(record.checkpoint)))
