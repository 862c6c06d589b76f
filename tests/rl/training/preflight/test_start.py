"""What preflight does to a run that starts: nothing where it cannot, and nothing twice where it can."""

import shutil
from pathlib import Path

import pytest

from rl.check_graph.__main__ import main as check_graph
from rl.config import LAPTOP, load_config
from rl.rewards.compose import UnscoredError
from rl.train import main
from rl.training.preflight.check import check_run
from rl.training.preflight.finding import stop
from rl.training.run import Stages
from tests.rl.training.preflight.conftest import change


def test_a_run_that_cannot_start_leaves_its_folder_as_it_was(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(own / "test-1.png", own / "harmless.png")
    change(own, "train", 1, image="harmless.png")
    run = tmp_path / "run"
    asked = ["--config", str(LAPTOP), "--run", str(run), f"tasks.set={own}"]
    assert main(asked) == 2
    assert "pixels are in train too" in capsys.readouterr().err
    assert not run.exists()
    run.mkdir()
    (run / "note.txt").write_text("mine")
    assert main(asked) == 2
    assert [path.name for path in run.iterdir()] == ["note.txt"]


def test_what_was_looked_at_is_kept_and_not_read_again(own: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = load_config(LAPTOP, [f"tasks.set={own}"])
    stages = Stages.open(run, config, resume=False)
    assert not stop(check_run(config, run, keep=True))
    shutil.rmtree(own)  # whatever comes after reads the run's own
    for split in ("train", "validation", "test"):
        tasks = stages.tasks(split)
        assert [task.id.partition("/")[2] for task in tasks] == [f"{split}/1", f"{split}/2"]
        assert all(any(run.glob(f"images/*/{image}.png")) for task in tasks for image in task.images)
    assert not stop(check_run(config, run, keep=True))  # as a run that resumes


def test_a_dry_run_keeps_nothing(own: Path, tmp_path: Path) -> None:
    config = load_config(LAPTOP, [f"tasks.set={own}"])
    assert not stop(check_run(config, tmp_path / "run", keep=False))
    assert not (tmp_path / "run").exists()
    assert sorted(path.suffix for path in own.iterdir()) == [".jsonl"] * 3 + [".png"] * 6


def test_a_bug_on_the_way_is_told_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(stages: Stages) -> Path:
        raise UnscoredError("Got an episode of t that a bug of its graph ended: KeyError: 'lesion' (line 6 of mine.py)")

    monkeypatch.setattr(Stages, "all", broken)
    assert main(["--config", str(LAPTOP), "--run", str(tmp_path / "run")]) == 1
    told = capsys.readouterr().err
    assert "line 6 of mine.py" in told and "Mend it and go on: python -m rl.train" in told


def test_a_graph_is_checked_with_tools_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_graph(["reasoning", "episode.tools=[zoom_inn, nope]"]) == 2
    told = capsys.readouterr().err
    assert "'zoom_inn'" in told and "Did you mean zoom_in" in told and "'nope'" in told
