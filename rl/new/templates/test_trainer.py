"""new_trainer: what it runs, and what it refuses."""

from pathlib import Path

from rl.config import LAPTOP, load_config
from rl.training.trainers.find import find_trainer


def test_what_it_runs(tmp_path: Path) -> None:
    config = load_config(LAPTOP, ["rl.trainer=new_trainer"])
    (line,) = find_trainer(config.rl.trainer).commands(config, tmp_path).values()
    assert line[line.index("--algo.advantage.estimator") + 1] == "rloo"


def test_what_it_refuses() -> None:
    config = load_config(LAPTOP, ["rl.openrlhf.actor.adam.speed=3"])
    found = find_trainer("new_trainer").findings(config)
    assert [each.setting for each in found] == ["rl.openrlhf.actor.adam.speed"]
