"""A trainer is found by its file, or by another package's entry point."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rl.config import LAPTOP, ROOT, ConfigError
from rl.train import main
from rl.training.trainers.find import find_trainer
from rl.training.trainers.openrlhf.trainer import OpenRLHF

THEIRS = """
from rl.training.preflight.finding import Finding
from rl.training.trainers.trainer import GpuNeed, Trainer

class Theirs(Trainer):
    async def train(self, job):
        raise NotImplementedError

    def saved(self, run):
        return {}

    def final(self, run):
        return run / "end"

    def findings(self, config):
        yield Finding("rl.trainer_options", f"Got {config.rl.trainer_options}, expected speed.")

    def commands(self, config, run):
        return {"theirs": ["their-trainer", str(config.rl.learning_rate)]}

answer = 42
"""


def test_openrlhf_is_its_folder() -> None:
    assert isinstance(find_trainer("openrlhf"), OpenRLHF)


def test_one_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"Got rl.trainer='openrhlf', expected one of openrlhf.*openrlhf\?"):
        find_trainer("openrhlf")
    assert main(["--config", str(LAPTOP), "--dry-run", "rl.trainer=trl"]) == 2
    assert "error: Got rl.trainer='trl'" in capsys.readouterr().err


@pytest.fixture
def dry_run(tmp_path: Path) -> Any:
    """A dry run with their trainer; gives what it prints. The argument is what their entry point names."""
    (tmp_path / "their_trainer.py").write_text(THEIRS)
    metadata = tmp_path / "their_trainer-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-trainer\nVersion: 1.0\n")

    def run(named: str) -> str:
        (metadata / "entry_points.txt").write_text(f"[medvista.trainers]\ntheirs = their_trainer:{named}\n")
        asked = ["--config", str(LAPTOP), "--dry-run", "rl.trainer=theirs", "rl.trainer_options={speed: 3}"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
        command = [sys.executable, "-m", "rl.train", *asked]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
        return ended.stdout + ended.stderr

    return run


@pytest.mark.slow
def test_an_installed_package_adds_a_trainer_by_entry_point(dry_run: Any) -> None:
    printed = dry_run("Theirs")
    assert "# theirs\ntheir-trainer 0.0001\n" in printed and "OpenRLHF" not in printed
    assert "error: rl.trainer_options: Got {'speed': 3}, expected speed." in printed


def test_an_entry_point_that_is_no_trainer_is_told(dry_run: Any) -> None:
    said = dry_run("answer")
    assert "error: Got the entry point theirs = 'their_trainer:answer' of the package their-trainer" in said
    assert "(medvista.trainers), which is 42; expected a class" in said and "Traceback" not in said
