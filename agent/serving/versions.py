"""Which policy version is live: the one place that a swap changes and every completion is stamped from.

The history is kept, not only the last version, so that a completion which outlives two swaps names all three versions.
In the process that swaps it is a list; other processes read the same history from the server's record file, or, where
they know no more than an address, ask the engine.
"""

from __future__ import annotations

from pathlib import Path

import httpx

from agent.serving.server_record import read_record

UNNAMED = "default"
"""What vLLM calls weights that nobody has named: those that it was started with."""


class LiveVersions:
    """The versions that a server has had live, for the process that starts and swaps it."""

    def __init__(self, first: str, *later: str) -> None:
        self._history: tuple[str, ...] = (first, *later)

    def history(self) -> tuple[str, ...]:
        """All versions that were live, in order; the last one is live now."""
        return self._history

    @property
    def live(self) -> str:
        """The version that samples now."""
        return self._history[-1]

    def switch(self, version: str) -> None:
        """Make `version` the live one. Called by the swap alone, while the server is paused."""
        self._history = (*self._history, version)


class RecordedVersions:
    """The same history, for a process that found the server by its record file.

    The file is replaced at each swap, so a changed inode or time means a changed history: one `stat` for each look.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._seen: tuple[int, int] | None = None
        self._history: tuple[str, ...] = ()

    def history(self) -> tuple[str, ...]:
        """All versions that were live, in order; the last known ones once the record is gone."""
        try:
            status = self._record.stat()
        except FileNotFoundError:
            return self._history
        if (status.st_ino, status.st_mtime_ns) != self._seen:
            record = read_record(self._record)
            if record is not None:
                self._history = record.versions
                self._seen = (status.st_ino, status.st_mtime_ns)
        return self._history


class AskedVersions:
    """The history as far as it can be seen from outside: the engine is asked before and after each completion.

    Of several swaps during one completion only the last is seen; a server without vLLM's development endpoints is
    taken to hold the weights that it was started with.
    """

    def __init__(self, first: str) -> None:
        self._history: tuple[str, ...] = (first,)

    def history(self) -> tuple[str, ...]:
        """The versions that were seen live, in order; the last one is live now."""
        return self._history

    async def refresh(self, client: httpx.AsyncClient) -> None:
        """Ask the engine what its weights are called. Raises httpx.TransportError where no server answers."""
        answer = await client.get("/weight_info")
        if not answer.is_success:
            return
        named = str(answer.json()["weight_version"])
        if named not in (UNNAMED, self._history[-1]):
            self._history = (*self._history, named)
