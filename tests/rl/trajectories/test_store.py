"""The trajectory store: whatever a kill leaves behind, each finished episode is read once."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rl.config import ROOT
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from rl.trajectories.store import TrajectoryStore

ONE = Trajectory(
    id="a",
    stage="rl",
    task=Task("t/1", "name", 'What "type"?\n', (), "ä", "exact").to_plain(),
    answer="ä\n}",
    outcome="answered",
    images=[],
    ledger={"ids": [1, 2], "sampled": [[1, 2, [-0.5], ["v"], "stop"]], "images": []},
    transcript=[],
    calls=[],
    turns=1,
    faults=0,
    rewards={"answer": 1.0},
    reward=1.0,
    seconds=0.5,
)
ONE = Trajectory.from_plain(json.loads(json.dumps(ONE.to_plain())))  # tuples are lists in a file


def ids(folder: Path) -> list[str]:
    return [trajectory.id for trajectory in TrajectoryStore(folder)]


def test_what_is_added_is_read(tmp_path: Path) -> None:
    store = TrajectoryStore(tmp_path / "rl")
    assert list(store) == []  # before the folder exists
    store.add(ONE)
    store.add(replace(ONE, id="b", reward=0.0))
    assert list(store) == [ONE, replace(ONE, id="b", reward=0.0)]
    assert list(TrajectoryStore(tmp_path / "rl")) == list(store)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_line_that_a_kill_cut_is_not_counted(tmp_path: Path, share: float) -> None:
    TrajectoryStore(tmp_path).add(ONE)
    (file,) = tmp_path.glob("*.jsonl")
    line = json.dumps(replace(ONE, id="cut").to_plain())
    with file.open("a") as open_file:
        open_file.write(line[: int(share * len(line))])
    assert ids(tmp_path) == ["a"]
    TrajectoryStore(tmp_path).add(replace(ONE, id="after"))  # the resumed process writes a file of its own
    assert ids(tmp_path) == ["a", "after"]


def test_a_line_cut_after_an_inner_brace_is_not_counted(tmp_path: Path) -> None:
    line = json.dumps(ONE.to_plain())
    (tmp_path / "1.jsonl").write_text(line[: line.index("}") + 1])
    assert ids(tmp_path) == []


def test_an_id_counts_once(tmp_path: Path) -> None:
    first, second = TrajectoryStore(tmp_path), TrajectoryStore(tmp_path)
    first.add(ONE)
    second.add(replace(ONE, reward=0.0))
    second.add(replace(ONE, id="b"))
    assert [(each.id, each.reward) for each in TrajectoryStore(tmp_path)] == [("a", 1.0), ("b", 1.0)]


def test_two_writers_do_not_mix_and_the_earlier_is_read_first(tmp_path: Path) -> None:
    first, second = TrajectoryStore(tmp_path), TrajectoryStore(tmp_path)
    for number in range(20):
        second.add(replace(ONE, id=f"s{number}"))
        first.add(replace(ONE, id=f"f{number}"))
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    assert ids(tmp_path) == [f"{writer}{number}" for writer in "fs" for number in range(20)]


def test_a_writer_that_is_killed_loses_no_finished_episode(tmp_path: Path) -> None:
    code = (
        "import sys, json\nfrom pathlib import Path\nfrom dataclasses import replace\n"
        "from rl.trajectories.record import Trajectory\nfrom rl.trajectories.store import TrajectoryStore\n"
        "one, store = Trajectory.from_plain(json.loads(sys.argv[1])), TrajectoryStore(Path(sys.argv[2]))\n"
        "for number in range(10**6):\n    store.add(replace(one, id=str(number)))\n    print(number, flush=True)\n"
    )
    line = json.dumps(ONE.to_plain())
    with subprocess.Popen(
        [sys.executable, "-c", code, line, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        time.sleep(0.1)
        os.kill(writer.pid, signal.SIGKILL)
        said = [0, *map(int, writer.stdout.read().split("\n")[:-1])]
    found = ids(tmp_path)
    assert found == [str(number) for number in range(len(found))]
    assert len(said) <= len(found) <= len(said) + 1  # the last may have been written and not said
