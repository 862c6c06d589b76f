"""`python -m rl.trajectories`: a stage is read back and checked, and chosen episodes go to a folder of their own."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rl.rollout.run_parts import RunParts
from rl.tasks.task import Task
from rl.trajectories.__main__ import main
from rl.trajectories.record import Trajectory
from rl.trajectories.store import TrajectoryStore
from tests.rl.scripts import answers, looks
from tools.images.store import ImageStore

Gallery = tuple[ImageStore, list[Task]]


@pytest.fixture
def run(
    tmp_path: Path,
    gallery: Gallery,
    processor: Any,
    parts_of: Callable[..., RunParts],
    play: Callable[..., Any],
) -> tuple[Path, list[Trajectory]]:
    """A run's folder with four sound episodes in `trajectories/rl`, three of them right."""
    import asyncio

    (tmp_path / "images").symlink_to(gallery[0].folder)
    processor.save_pretrained(tmp_path / "checkpoints" / "base")
    parts = parts_of(gallery[0])
    name, count = (next(task for task in gallery[1] if task.kind == kind) for kind in ("name", "count"))
    scripts = [(name, looks(name)), (name, answers("no idea")), (count, looks(count)), (count, answers(count.answer))]
    made = [asyncio.run(play(parts, task, script, id=str(number))) for number, (task, script) in enumerate(scripts)]
    write(tmp_path, made)
    return tmp_path, made


def write(run: Path, episodes: list[Trajectory]) -> None:
    for path in TrajectoryStore(run / "trajectories" / "rl").files():
        path.unlink()
    with TrajectoryStore(run / "trajectories" / "rl") as store:
        for episode in episodes:
            store.add(episode)


def found(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    status = main(["check", str(run), "--json"])
    return status, json.loads(capsys.readouterr().out)[0]


def test_sound_episodes_pass(run: tuple[Path, list[Trajectory]], capsys: pytest.CaptureFixture[str]) -> None:
    status, audit = found(run[0], capsys)
    assert (status, audit["episodes"], audit["refused"], audit["faults"]) == (0, 4, 0, [])
    assert (audit["stage"], audit["shards"], audit["by_kind"]) == ("rl", 1, {"count": 2, "name": 2})
    assert main(["check", str(run[0] / "trajectories" / "rl")]) == 0  # what lies around it is found
    assert capsys.readouterr().out.startswith("rl: 4 episodes (count 2, name 2) in 1 shards and 0 journals; 0 refused")


def test_each_fault_is_found_and_named(run: tuple[Path, list[Trajectory]], capsys: pytest.CaptureFixture[str]) -> None:
    folder, (sound, other, third, fourth) = run
    twice = replace(sound, rows=[sound.rows[0], sound.rows[0]])
    lost = replace(
        other, images=["0" * 64], rows=[{**other.rows[0], "images": [["0" * 64, *other.rows[0]["images"][0][1:]]]}]
    )
    hidden = replace(third, calls=[{**call, "images": ["f" * 64]} for call in third.calls])
    write(folder, [twice, lost, hidden, fourth])
    status, audit = found(folder, capsys)
    assert (status, audit["episodes"], audit["refused"]) == (1, 4, 3)
    told = "\n".join(audit["faults"])
    assert re.search("0: Trajectory refused: the calls .* are trained in more than one row", told)
    assert f"1: Got the image id {'0' * 64}, which this store does not hold" in told
    assert "2: Trajectory refused: a call returned an image that the episode does not list" in told


def test_a_damaged_shard_does_not_hide_the_others(
    run: tuple[Path, list[Trajectory]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, episodes = run
    stage = folder / "trajectories" / "rl"
    (stage / "0-damaged.parquet").write_bytes(b"PAR1 no PAR1")
    status, audit = found(folder, capsys)
    assert (status, audit["damaged"], audit["episodes"]) == (1, 1, len(episodes))
    assert "0-damaged.parquet, which cannot be read" in audit["faults"][0]


def test_an_export_holds_what_it_needs(
    run: tuple[Path, list[Trajectory]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "chosen"
    assert main(["export", str(run[0]), "--out", str(out)]) == 0
    assert "4 episodes: 2 taken (count 1, name 1), 1 rejected, 0 doubles, 1 more than needed" in capsys.readouterr().out
    taken = list(TrajectoryStore(out / "trajectories"))
    assert all(each.correct for each in taken) and len(taken) == 2
    assert all(image in ImageStore(out / "images") for each in taken for image in each.images)
    assert main(["check", str(out), "--checkpoint", str(run[0] / "checkpoints" / "base")]) == 0
    assert main(["export", str(run[0]), "--out", str(out)]) == 2
    assert "holds trajectories already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "{empty}"], "in which no trajectories lie"),
        (["export", "{run}", "--out", "x", "--stage", "none"], "Got --stage none, expected some of: rl"),
    ],
)
def test_what_cannot_be_read_is_told(
    run: tuple[Path, list[Trajectory]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    status = main([each.format(empty=tmp_path / "empty", run=run[0]) for each in arguments])
    assert status == 2 and said in capsys.readouterr().err
