"""The trajectory store on disks that refuse: full ones, read-only ones; and who else may read what it wrote."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rl.config import ROOT
from rl.trajectories.store import TrajectoryStore
from tests.rl.trajectories.test_store import ONE, ids

LONG = replace(ONE, transcript=[{"role": "user", "text": "x" * 40_000, "images": []}])
"""An episode of some ten pages of memory, of which a part fits on a disk that is nearly full."""


def test_a_full_disk_costs_no_episode_that_was_acknowledged(small_disk: Path) -> None:
    other = small_disk / "somebody_elses"
    other.write_bytes(b"x" * 2**18)
    store, kept = TrajectoryStore(small_disk / "rl"), list[str]()
    with pytest.raises(OSError, match=r"(?i)no.*(room|space)"):
        for number in range(100):
            store.add(replace(LONG, id=str(number)))
            kept.append(str(number))
    assert 5 < len(kept) < 30
    other.unlink()
    for number in range(3):
        store.add(replace(ONE, id=f"later{number}"))
        kept.append(f"later{number}")
    assert ids(small_disk / "rl") == kept
    assert TrajectoryStore(small_disk / "rl").count() == len(kept)


LIMITED = """
import json, resource, signal, sys
from dataclasses import replace
from pathlib import Path
from rl.trajectories.record import Trajectory
from rl.trajectories.store import TrajectoryStore
one, store = Trajectory.from_plain(json.loads(sys.stdin.read())), TrajectoryStore(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
for number in range(9):
    try:
        store.add(replace(one, id=str(number)))
    except OSError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print("refused", type(error).__name__, error)
    else:
        print(number)
"""


def test_a_write_that_was_cut_short_is_taken_back_in_a_process_under_a_limit(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "rl")],
        cwd=ROOT,
        input=json.dumps(LONG.to_plain()),
        capture_output=True,
        text=True,
        check=True,
    )
    said = run.stdout.splitlines()
    (refused,) = (line for line in said if line.startswith("refused"))
    said.remove(refused)
    assert len(said) == 8 and ids(tmp_path / "rl") == said
    assert "WriteError Got no room to write" in refused


def test_a_disk_that_is_full_when_a_shard_is_sealed_keeps_the_journal(small_disk: Path) -> None:
    store = TrajectoryStore(small_disk / "rl")
    for number in range(5):
        store.add(replace(ONE, id=str(number)))
    with pytest.raises(OSError, match=r"(?i)no.*(room|space)"):
        (small_disk / "filler").write_bytes(b"x" * 2**21)
    with pytest.raises(OSError, match=r"Got no room to write .*parquet"):
        store.seal()
    (small_disk / "filler").unlink()
    assert ids(small_disk / "rl") == list("01234")
    store.seal()
    assert ids(small_disk / "rl") == list("01234")
    assert [path.suffix for path in (small_disk / "rl").iterdir()] == [".parquet"]


def test_a_folder_that_cannot_be_written_is_told(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OSError, match=r"Got a place that may not be written, .*rl.*Name a folder of yours"):
        TrajectoryStore(small_disk / "rl").add(ONE)


def test_what_was_said_about_a_patients_image_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = TrajectoryStore(tmp_path / "run" / "trajectories" / "rl", shard=2)
        for name in "abc":
            store.add(replace(ONE, id=name))
    finally:
        os.umask(before)
    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "run").rglob("*")}
    assert modes == {"": 0o700, ".parquet": 0o600, ".jsonl": 0o600}
