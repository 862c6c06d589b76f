"""Where an application's conversations are kept: SQLite unless PostgreSQL is named.

A thread's checkpoints hold ids of images and plain values, so any LangGraph checkpointer can keep them; these two are
opened by name because most applications want no more. What a graph left there another process goes on with.

A checkpointer writes the whole state with every step, and a state says much again that it said before (a
conversation): here it is written compressed, which makes it several times smaller. The file is its owner's alone.
"""

import sqlite3
import zlib
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from tools.private_files import WriteError, clear_write_errors, private_folder, private_opener

POSTGRES = ("postgresql://", "postgres://")
EXTRA = "expected langgraph-checkpoint-postgres for an address of PostgreSQL; pip install 'medvista[postgres]'"


COMPRESSED = ".zlib"
"""Behind the type of a value that is stored compressed; one without it is read as LangGraph wrote it."""
SMALL = 256
"""Bytes that are not worth it."""
WAIT_S = 60.0
"""For so long a process waits while another one writes to the same file."""


class ThreadsError(RuntimeError):
    """The threads cannot be kept there; says what was got, what was expected and how to mend it."""


@asynccontextmanager
async def open_threads(place: str | Path) -> AsyncGenerator[BaseCheckpointSaver[Any]]:
    """The checkpointer of a place: the path of an SQLite file, or `postgresql://user@host:port/database`.

    What it needs there (folder, file, tables) is made. Raises ThreadsError.
    """
    if str(place).startswith(POSTGRES):
        async with _postgres(str(place)) as saver:
            yield saver
        return
    if "://" in str(place):
        scheme = str(place).partition("://")[0]
        raise ThreadsError(f"Got threads at {scheme}://..., expected the path of a file or postgresql://...")
    import aiosqlite

    from graphs.app.sqlite_saver import UninterruptedSaver

    file = Path(place)
    try:
        private_folder(file.parent)
        with clear_write_errors(file), open(file, "ab", opener=private_opener):
            pass  # SQLite gives what it writes beside its file (-wal, -shm) the file's own mode
    except WriteError as error:
        raise ThreadsError(str(error)) from error
    with _clear(file):
        async with aiosqlite.connect(file, timeout=WAIT_S) as connection:
            saver = UninterruptedSaver(connection, serde=CompressingSerializer())
            await saver.setup()
            try:
                yield saver
            finally:
                await saver.settled()


@contextmanager
def _clear(file: Path) -> Generator[None]:
    """Inside, what SQLite cannot do becomes a ThreadsError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise ThreadsError(
            f"Got {str(error)!r} for the threads in {file}, expected an SQLite file of yours on a disk with room. Make "
            "room, or name another place (MEDVISTA_THREADS)."
        ) from error


@asynccontextmanager
async def _postgres(address: str) -> AsyncGenerator[BaseCheckpointSaver[Any]]:
    try:
        saver_class: Any = import_module("langgraph.checkpoint.postgres.aio").AsyncPostgresSaver
    except ImportError as error:
        raise ThreadsError(f"Got {type(error).__name__}: {error}; {EXTRA}.") from error
    async with saver_class.from_conn_string(address, serde=CompressingSerializer()) as saver:
        await saver.setup()
        yield saver


class CompressingSerializer(JsonPlusSerializer):
    """LangGraph's own serialisation, compressed."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The value's type and bytes."""
        kind, data = super().dumps_typed(obj)
        return (kind, data) if len(data) <= SMALL else (kind + COMPRESSED, zlib.compress(data))

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value."""
        kind, stored = data
        if kind.endswith(COMPRESSED):
            return super().loads_typed((kind.removesuffix(COMPRESSED), zlib.decompress(stored)))
        return super().loads_typed(data)
