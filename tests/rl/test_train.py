"""`python -m rl.train`: the plan of a run, and what cannot be started."""

import re
from pathlib import Path

import pytest
import yaml

from rl.config import EIGHT_GPUS, LAPTOP, load_config
from rl.train import main, parse
from rl.training.run import Stages


@pytest.mark.parametrize("config", [LAPTOP, EIGHT_GPUS])
def test_a_dry_run_prints_the_config_and_every_command_line(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["--config", str(config), "--run", str(run), "--dry-run", "rl.steps=3", "rl.learning_rate=0.002"]) == 0
    resolved, *warming, serving, training = capsys.readouterr().out.split("\n# ")
    assert [line.partition("\n")[0] for line in warming] == ([] if config == LAPTOP else ["the warm-up"])
    assert yaml.safe_load(resolved)["rl"]["steps"] == 3
    assert serving.startswith("the served graph's vLLM\n") and f"--model {run}/checkpoints/base" in serving
    assert "--host 127.0.0.1" in serving
    assert training.startswith("OpenRLHF\n") and "--actor.adam.lr 0.002" in training
    assert f"--actor.model_name_or_path {run}/checkpoints/warmup" in training
    assert ("--cpu" in training) == (config == LAPTOP)
    assert not run.exists()  # nothing was begun


def test_options_and_overrides_may_be_mixed() -> None:
    asked = parse(["seed=1", "--resume", "rl.steps=3", "--run", "here", "rl.openrlhf.actor.adam.lr=1"])
    assert asked.overrides == ["seed=1", "rl.steps=3", "rl.openrlhf.actor.adam.lr=1"]
    assert (asked.resume, asked.dry_run, asked.run) == (True, False, Path("here"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rl.stepz=3"], "error: .*laptop.yaml: rl.stepz: Extra inputs are not permitted, got 3"),
        (["rl.steps"], "error: Got the override 'rl.steps', expected name=value"),
        (["--config", "nowhere.yaml"], "error: Got nowhere.yaml, which cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(LAPTOP), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.match(said, printed.err), printed.err


def test_a_taken_folder_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Stages.open(tmp_path / "run", load_config(LAPTOP), resume=False).at_work.close()
    assert main(["--config", str(LAPTOP), "--run", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr()
    assert "research use only, not a medical device" in printed.out
    assert "which holds a run; go on with --resume" in printed.err
