"""Where finished episodes land: Parquet shards, and journals of what is not in one yet. Images lie beside, by hash.

Each writer (process, store) has a journal of its own, so writers never mix; after `SHARD` episodes, or when it is told
to, it seals the journal into a shard of the same name. Whatever a kill interrupts, no finished episode is lost and none
counts twice: a shard appears whole, a journal whose shard exists is ignored, and a journal whose writer is gone is
sealed by whoever seals next.

An id names what was to be sampled, not the sampling: what a resumed training samples anew has the id of what was
sampled before the kill, by weights that are gone. Of several with one id the one that was written last counts; sealing
drops the others, so that programs which read the shards by themselves see each once too.

Folders are 0700 and files 0600: what was asked about a patient's image is nobody else's.
"""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self
from uuid import uuid4

from rl.trajectories import journal, shards
from rl.trajectories.journal import Journal, left_behind, read_journal
from rl.trajectories.record import Trajectory
from rl.trajectories.shards import ShardError, read_shard, write_shard

SHARD = 512
"""Episodes of a shard: about 1 MB of the laptop's."""


class TrajectoryStore:
    """The trajectories of one run's stage. Safe to write from several threads and processes."""

    def __init__(self, folder: Path, shard: int = SHARD) -> None:
        self.folder = folder
        self.shard = shard
        self._lock = Lock()
        self._journal: Journal | None = None
        self._owner = 0
        self._sealed_ids: dict[str, list[str]] = {}
        self._next = self._name()

    def add(self, trajectory: Trajectory) -> None:
        """Keeps one finished episode: no kill of this process loses it once this has returned. Raises WriteError."""
        with self._lock:
            if self._journal is None or self._owner != os.getpid():  # a fork must not write into its parent's journal
                if self._owner and self._owner != os.getpid():
                    self._next = self._name()
                self._journal, self._owner = Journal(self.folder / (self._next + journal.SUFFIX)), os.getpid()
            self._journal.add(trajectory)
            if self._journal.episodes >= self.shard:
                self._seal_own()

    def seal(self) -> None:
        """Makes shards of our journal and of those left behind by writers that are gone. Raises WriteError."""
        with self._lock:
            if self._owner == os.getpid():
                self._seal_own()
        for path in sorted(self.folder.glob(f"*{journal.SUFFIX}")):
            if (file := left_behind(path)) is not None:
                with file:
                    _seal(path)
        self._drop_superseded()

    def __iter__(self) -> Iterator[Trajectory]:
        """Every whole trajectory, each id once, in order of the writers' first episodes. Raises shards.ShardError."""
        for each in self.read():
            yield from each

    def read(self) -> Iterator[Iterator[Trajectory]]:
        """Of each shard, or journal that is to become one, what counts; reading that raises shards.ShardError."""
        last = self._last_written()
        for name in self.names():
            yield self._counted(name, last)

    def count(self) -> int:
        """How many episodes count, without reading them."""
        return len(self._last_written())

    def names(self) -> list[str]:
        """Of the journals and of the shards that they became, in order."""
        return sorted({path.stem for path in self.files()})

    def files(self) -> list[Path]:
        """Shards and journals, in order."""
        paths = sorted(self.folder.glob("*")) if self.folder.is_dir() else []
        known = (shards.SUFFIX, journal.SUFFIX)
        return [path for path in paths if path.suffix in known and not path.name.startswith(".")]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seal()

    def _name(self) -> str:
        """Sorts after all that are there, also where the clock was set back."""
        begun = [int(head) for name in self.names() if (head := name.partition("-")[0]).isdigit()]
        return f"{max([time.time_ns(), *(each + 1 for each in begun)])}-{os.getpid()}-{uuid4().hex[:8]}"

    def _last_written(self) -> dict[str, str]:
        """By id the name of the shard or journal that holds it and was begun last."""
        return {each: name for name in self.names() for each in self._ids(name)}

    def _ids(self, name: str) -> list[str]:
        """Of one shard or journal; none where it cannot be read, which reading it tells."""
        shard = self._shard(name)
        if name not in self._sealed_ids and not shard.exists():
            return journal.ids_in(self.folder / (name + journal.SUFFIX))
        if name not in self._sealed_ids:
            try:
                self._sealed_ids[name] = shards.ids_in(shard)
            except ShardError:
                return []
        return self._sealed_ids[name]

    def _counted(self, name: str, last: Mapping[str, str]) -> Iterator[Trajectory]:
        shard = self._shard(name)
        lines = [] if shard.exists() else _lines(self.folder / (name + journal.SUFFIX))
        found = read_shard(shard) if not lines and shard.exists() else iter(lines)
        return (each for each in found if last.get(each.id, name) == name)

    def _drop_superseded(self) -> None:
        last = self._last_written()
        for name in self.names():
            if not self._shard(name).exists() or all(last.get(each) == name for each in self._ids(name)):
                continue
            kept = list(self._counted(name, last))
            if kept:
                write_shard(self._shard(name), kept)
            else:
                self._shard(name).unlink()
            self._sealed_ids.pop(name, None)

    def _shard(self, name: str) -> Path:
        return self.folder / (name + shards.SUFFIX)

    def _seal_own(self) -> None:
        if self._journal is not None:
            _seal(self._journal.path)
            self._journal.close()
            self._journal, self._next = None, self._name()


def _seal(path: Path) -> None:
    """Makes the shard of a journal whose lock we hold; a journal without a whole line leaves none."""
    if episodes := _lines(path):
        write_shard(path.with_suffix(shards.SUFFIX), episodes)
    path.unlink(missing_ok=True)


def _lines(path: Path) -> list[Trajectory]:
    """What counts of a journal by itself."""
    return list({each.id: each for each in read_journal(path)}.values())
