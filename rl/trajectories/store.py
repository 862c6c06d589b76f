"""Where finished episodes land: one JSON line each, in files that a kill can only cut at the end.

Each writing process appends to a file of its own, so writers never mix; a line that a kill cut short is left out when
read (its episode counted as unfinished), and an id is never counted twice. Images lie beside, once, by hash.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from rl.trajectories.record import Trajectory


class TrajectoryStore:
    """The trajectories of one run's stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / f"{time.time_ns()}-{os.getpid()}-{uuid4().hex[:8]}.jsonl"

    def add(self, trajectory: Trajectory) -> None:
        """Appends one finished episode; it is on disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps(trajectory.to_plain(), separators=(",", ":")) + "\n"
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line)

    def __iter__(self) -> Iterator[Trajectory]:
        """Every whole trajectory, each id once, in order of the files' making and of writing."""
        seen: set[str] = set()
        for path in sorted(self.folder.glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").split("\n"):
                if not line.endswith("}"):
                    continue
                try:
                    trajectory = Trajectory.from_plain(json.loads(line))
                except json.JSONDecodeError:
                    continue
                if trajectory.id not in seen:
                    seen.add(trajectory.id)
                    yield trajectory
