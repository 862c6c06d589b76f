"""The trajectory store: whatever a kill leaves behind, each finished episode is read once."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from rl.config import ROOT
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from rl.trajectories.rows import schema
from rl.trajectories.shards import ShardError, read_shard, write_shard
from rl.trajectories.store import TrajectoryStore

ONE = Trajectory(
    id="a",
    stage="rl",
    task=Task("t/1", "name", 'What "type"?\n', (), "ä", "exact").to_plain(),
    answer="ä\n}",
    outcome="answered",
    images=[],
    rows=[{"ids": [1, 2], "sampled": [[1, 2, [-0.5], ["v"], "stop", "sample-1", "reason"]], "images": []}],
    transcript=[],
    calls=[],
    turns=1,
    faults=0,
    rewards={"answer": 1.0},
    reward=1.0,
    seconds=0.5,
)
CALL = {
    "call": {"name": "zoom_in", "arguments": {"image": 1, "box": [0, 0, 9, 9]}},
    "status": "ok",
    "text": "Closer view.",
    "images": ["b"],
    "regions": [{"image": "a", "box": [0.0, 0.5, 5.0, 5.0], "label": None, "section": None}],
    "measurements": [{"name": "area", "value": 2.5, "unit": "mm2"}],
    "seconds": 0.125,
    "tool_version": "3",
}
ONE = replace(ONE, calls=[CALL], tools={"zoom_in": "3"}, graph="reasoning", graph_version="0a", sample=2)
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


def test_of_two_with_one_id_the_one_that_was_written_last_counts(tmp_path: Path) -> None:
    first = TrajectoryStore(tmp_path)
    first.add(ONE)
    first.add(replace(ONE, id="c"))
    second = TrajectoryStore(tmp_path)  # of the training that goes on
    second.add(replace(ONE, reward=0.0))
    second.add(replace(ONE, id="b"))
    counted = [("c", 1.0), ("a", 0.0), ("b", 1.0)]
    assert [(each.id, each.reward) for each in TrajectoryStore(tmp_path)] == counted
    assert TrajectoryStore(tmp_path).count() == 3
    del first
    second.seal()
    assert [(each.id, each.reward) for each in TrajectoryStore(tmp_path)] == counted
    assert [(each.id, each.reward) for path in second.files() for each in read_shard(path)] == counted
    assert second.count() == 3


def test_a_clock_that_was_set_back_does_not_bring_back_what_was_sampled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(tmp_path, ONE, replace(ONE, id="b"))
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 10**12)
    again = TrajectoryStore(tmp_path)
    again.add(replace(ONE, reward=0.0))
    assert [(each.id, each.reward) for each in TrajectoryStore(tmp_path)] == [("b", 1.0), ("a", 0.0)]


def test_two_writers_do_not_mix_and_the_earlier_is_read_first(tmp_path: Path) -> None:
    first, second = TrajectoryStore(tmp_path), TrajectoryStore(tmp_path)
    for number in range(20):
        second.add(replace(ONE, id=f"s{number}"))
        first.add(replace(ONE, id=f"f{number}"))
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    del first
    second.seal()  # ours, and the one whose writer is gone
    assert [path.suffix for path in second.files()] == [".parquet", ".parquet"]
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


def sealed(folder: Path, *trajectories: Trajectory) -> Path:
    """The shard of these trajectories."""
    with TrajectoryStore(folder) as store:
        for trajectory in trajectories:
            store.add(trajectory)
    (shard,) = folder.glob("*.parquet")
    return shard


def test_a_shard_gives_back_what_was_added(tmp_path: Path) -> None:
    unknown = replace(ONE, id="b", answer=None, seed=None, calls=[], rows=[{**ONE.rows[0], "sampled": []}])
    shard = sealed(tmp_path, ONE, unknown)
    assert list(read_shard(shard)) == [ONE, unknown]
    assert [path.name for path in tmp_path.iterdir()] == [shard.name]


def test_what_a_chat_model_does_not_know_stays_unknown(tmp_path: Path) -> None:
    ledger = {**ONE.rows[0], "sampled": [[1, 2, [math.nan], ["chat"], "stop", "", ""]]}
    (back,) = read_shard(sealed(tmp_path, replace(ONE, rows=[ledger])))
    assert math.isnan(back.rows[0]["sampled"][0][2][0])


def test_a_key_that_has_no_column_is_kept(tmp_path: Path) -> None:
    newer = replace(ONE, calls=[{**CALL, "cost": 3}], transcript=[{"role": "user", "text": "", "images": [], "x": [1]}])
    assert list(read_shard(sealed(tmp_path, newer))) == [newer]


def test_every_field_of_a_trajectory_has_a_column() -> None:
    assert {each.name for each in fields(Trajectory)} <= set(schema().names)


def test_datasets_opens_the_shards(tmp_path: Path) -> None:
    import datasets

    sealed(tmp_path / "rl", ONE, replace(ONE, id="b"))
    loaded: Any = datasets
    rows = loaded.load_dataset("parquet", data_dir=str(tmp_path / "rl"), cache_dir=str(tmp_path / "cache"))["train"]
    row = rows[1]
    assert (row["id"], row["kind"], row["gold"], row["sample"]) == ("b", "name", "ä", 2)
    assert row["rows"][0]["ids"] == [1, 2]
    sampled = {"start": 1, "end": 2, "logprobs": [-0.5], "versions": ["v"], "finish_reason": "stop"}
    assert row["rows"][0]["sampled"] == [{**sampled, "sample": "sample-1", "node": "reason"}]
    (call,) = row["calls"]
    assert (call["name"], call["seconds"], call["tool_version"]) == ("zoom_in", 0.125, "3")
    assert call["regions"][0]["box"] == [0.0, 0.5, 5.0, 5.0]
    assert row["rewards"] == [{"name": "answer", "value": 1.0}]
    assert row["tools"] == [{"name": "zoom_in", "version": "3"}]
    assert (row["graph"], row["graph_version"]) == ("reasoning", "0a")


def test_a_full_journal_becomes_a_shard_and_the_next_begins(tmp_path: Path) -> None:
    store = TrajectoryStore(tmp_path, shard=2)
    for name in "abcde":
        store.add(replace(ONE, id=name))
    assert [path.suffix for path in store.files()] == [".parquet", ".parquet", ".jsonl"]
    assert ids(tmp_path) == list("abcde") and store.count() == 5


def test_a_kill_between_shard_and_journal_counts_nothing_twice(tmp_path: Path) -> None:
    writer = TrajectoryStore(tmp_path)
    writer.add(ONE)
    (unsealed,) = tmp_path.glob("*.jsonl")
    write_shard(unsealed.with_suffix(".parquet"), [ONE])  # the journal was not removed
    assert ids(tmp_path) == ["a"] and TrajectoryStore(tmp_path).count() == 1
    del writer
    TrajectoryStore(tmp_path).seal()
    assert ids(tmp_path) == ["a"] and not unsealed.exists()


def test_a_half_written_shard_is_never_read(tmp_path: Path) -> None:
    whole = sealed(tmp_path, ONE).read_bytes()
    (tmp_path / ".later.parquet.1").write_bytes(whole[: len(whole) // 2])  # its writer was killed before the renaming
    assert ids(tmp_path) == ["a"]


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    shard = sealed(tmp_path, ONE)
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(ShardError, match=rf"Got {shard}, which cannot be read"):
        ids(tmp_path)


def test_a_journal_is_left_alone_while_its_writer_lives(tmp_path: Path) -> None:
    writer = TrajectoryStore(tmp_path)
    writer.add(ONE)
    TrajectoryStore(tmp_path).seal()
    assert [path.suffix for path in writer.files()] == [".jsonl"]
    writer.add(replace(ONE, id="b"))
    assert ids(tmp_path) == ["a", "b"]


def test_a_fork_does_not_write_into_its_parents_journal(tmp_path: Path) -> None:
    store = TrajectoryStore(tmp_path)
    store.add(ONE)
    child = os.fork()
    if child == 0:
        store.add(replace(ONE, id="child"))
        os._exit(0)
    os.waitpid(child, 0)
    store.add(replace(ONE, id="b"))
    assert len(store.files()) == 2 and sorted(ids(tmp_path)) == ["a", "b", "child"]


WRITER = """
import json, sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from rl.trajectories.record import Trajectory
from rl.trajectories.rows import schema
from rl.trajectories.shards import ShardError, read_shard, write_shard
from rl.trajectories.store import TrajectoryStore
one, folder, name = Trajectory.from_plain(json.loads(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
store = TrajectoryStore(folder, shard=3)
for number in range(10**6):
    store.add(replace(one, id=f"{name}{number}"))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_many_writers_that_are_killed_while_they_seal_lose_nothing(tmp_path: Path) -> None:
    line = json.dumps(ONE.to_plain())
    command = [sys.executable, "-c", WRITER, line, str(tmp_path)]
    writers = {
        name: subprocess.Popen([*command, name], cwd=ROOT, stdout=subprocess.PIPE, text=True) for name in ("x", "y")
    }
    said: dict[str, int] = {}
    for name, writer in writers.items():
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 20:
            pass
        writer.kill()
        said[name] = 21 + len(writer.stdout.read().split())
        writer.wait()
        writer.stdout.close()
    with TrajectoryStore(tmp_path) as store:
        found = list(store)
    assert len({each.id for each in found}) == len(found)
    for name, least in said.items():
        numbers = [int(each.id[1:]) for each in found if each.id[0] == name]
        assert numbers == list(range(len(numbers))) and least <= len(numbers) <= least + 1
    assert {path.suffix for path in store.files()} == {".parquet"} and list(store) == found
