"""Sealed shards: Parquet files, each written whole or not at all, that `datasets.load_dataset` opens.

A shard is written beside its place, forced to disk and renamed into it, so no reader meets half of one and a power cut
leaves the old state or the new. Reading goes by row groups, so that a long run needs no large memory.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rl.trajectories.record import Trajectory
from rl.trajectories.rows import arrow, from_row, table_of
from tools.private_files import clear_write_errors, private_opener

SUFFIX = ".parquet"
ROWS = 64
"""Rows of a row group: about 200 KB of the laptop's episodes."""


class ShardError(ValueError):
    """A shard that cannot be read; names the file, what was got and how to mend it."""


def write_shard(path: Path, trajectories: Sequence[Trajectory]) -> Path:
    """Writes the shard `path`, replacing one of that name. Raises WriteError."""
    from pyarrow import parquet

    files: Any = parquet
    table = table_of(trajectories)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with clear_write_errors(path):
        try:
            with open(unfinished, "wb", opener=private_opener) as file:
                files.write_table(table, file, row_group_size=ROWS, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return path


def read_shard(path: Path) -> Iterator[Trajectory]:
    """Its trajectories in order. Raises ShardError."""
    from pyarrow import parquet

    files: Any = parquet
    try:
        with files.ParquetFile(path) as shard:
            for batch in shard.iter_batches(batch_size=ROWS):
                yield from map(from_row, batch.to_pylist())
    except (arrow().ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from error


def ids_in(path: Path) -> list[str]:
    """The ids of its trajectories in order, without reading the rest of them. Raises ShardError."""
    from pyarrow import parquet

    files: Any = parquet
    try:
        return list(files.read_table(path, columns=["id"]).column("id").to_pylist())
    except (arrow().ArrowException, OSError, KeyError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ShardError:
    return ShardError(
        f"Got {path}, which cannot be read as a shard of trajectories ({type(error).__name__}: {error}); expected "
        "a Parquet file that rl/trajectories/shards.py wrote. Move it away: the others do not need it."
    )
