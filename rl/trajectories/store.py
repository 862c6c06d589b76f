"""Where finished episodes land: Parquet shards, and journals of what is not in one yet. Images lie beside, by hash.

Each writer (process, store) has a journal of its own, so writers never mix; after `SHARD` episodes, or when it is told
to, it seals the journal into a shard of the same name. Whatever a kill interrupts, no finished episode is lost and none
counts twice: a shard appears whole, a journal whose shard exists is ignored, an id is read once, and a journal whose
writer is gone is sealed by whoever seals next.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self
from uuid import uuid4

from rl.trajectories import journal, shards
from rl.trajectories.journal import Journal, count_lines, left_behind, read_journal
from rl.trajectories.record import Trajectory
from rl.trajectories.shards import count_rows, read_shard, write_shard

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
        self._next = self._name()

    def add(self, trajectory: Trajectory) -> None:
        """Keeps one finished episode: no kill of this process loses it once this has returned."""
        with self._lock:
            if self._journal is None or self._owner != os.getpid():  # a fork must not write into its parent's journal
                if self._owner and self._owner != os.getpid():
                    self._next = self._name()
                self._journal, self._owner = Journal(self.folder / (self._next + journal.SUFFIX)), os.getpid()
            self._journal.add(trajectory)
            if self._journal.episodes >= self.shard:
                self._seal_own()

    def seal(self) -> None:
        """Makes shards of our journal and of those left behind by writers that are gone."""
        with self._lock:
            if self._owner == os.getpid():
                self._seal_own()
        for path in sorted(self.folder.glob(f"*{journal.SUFFIX}")):
            if (file := left_behind(path)) is not None:
                with file:
                    _seal(path)

    def __iter__(self) -> Iterator[Trajectory]:
        """Every whole trajectory, each id once, in order of the writers' first episodes. Raises shards.ShardError."""
        seen: set[str] = set()
        for name in self.names():
            for trajectory in self.read(name):
                if trajectory.id not in seen:
                    seen.add(trajectory.id)
                    yield trajectory

    def names(self) -> list[str]:
        """Of the journals and of the shards that they became, in order."""
        return sorted({path.stem for path in self.files()})

    def read(self, name: str) -> Iterator[Trajectory]:
        """What is in one shard, or in the journal that is to become it. Raises shards.ShardError."""
        shard, unsealed = self.folder / (name + shards.SUFFIX), self.folder / (name + journal.SUFFIX)
        lines = [] if shard.exists() else list(read_journal(unsealed))
        return read_shard(shard) if not lines and shard.exists() else iter(lines)

    def count(self) -> int:
        """How many episodes lie there, without reading them; one that a redone stage wrote again counts again."""
        sealed = {path.stem: path for path in self.files() if path.suffix == shards.SUFFIX}
        unsealed = [path for path in self.files() if path.stem not in sealed]
        return sum(map(count_rows, sealed.values())) + sum(map(count_lines, unsealed))

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

    @staticmethod
    def _name() -> str:
        return f"{time.time_ns()}-{os.getpid()}-{uuid4().hex[:8]}"

    def _seal_own(self) -> None:
        if self._journal is not None:
            _seal(self._journal.path)
            self._journal.close()
            self._journal, self._next = None, self._name()


def _seal(path: Path) -> None:
    """Makes the shard of a journal whose lock we hold; a journal without a whole line leaves none."""
    if episodes := list(read_journal(path)):
        write_shard(path.with_suffix(shards.SUFFIX), episodes)
    path.unlink(missing_ok=True)
