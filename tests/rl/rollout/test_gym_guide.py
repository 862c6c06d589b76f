"""The Python of docs/gym.md, run from its own text: the environment, sampled groups, and their rows read back."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.serving.checkpoint import publish
from graphs.app.default_checkpoint import embedded
from rl.config import Config, dump

ROOT = Path(__file__).resolve().parents[3]
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "gym.md").read_text(), re.DOTALL | re.MULTILINE)


def block(word: str) -> str:
    """The guide's one Python block that holds `word`."""
    (found,) = [text for text in BLOCKS if word in text]
    return found


def python(code: str, cwd: Path) -> str:
    """What a program prints, run apart from the tests' own process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_block_is_run() -> None:
    assert len(BLOCKS) == 4


def test_the_environment_is_stepped_through(tmp_path: Path) -> None:
    told = python(block("zoom_in") + "\nprint(terminated, truncated)", tmp_path)
    reward, components = told.splitlines()[0].split(" ", 1)
    assert told.splitlines()[1] == "True False"
    assert "'answer'" in components and "'format': 1.0" in components and float(reward) >= 0


def test_any_graph_is_stepped_through_and_replayed(tmp_path: Path) -> None:
    *observed, same = python(block("replayed"), tmp_path).splitlines()
    speakers = [
        line.split(" ", 2)[0] for line in observed if line.startswith(("opinion|reason ", "adjudicate|reason "))
    ]
    assert (speakers, same) == (["opinion|reason"] * 2 + ["adjudicate|reason"], "True")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_groups_are_sampled_and_read_back(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "laptop"
    (run / "images").mkdir(parents=True)
    (run / "config.yaml").write_text(dump(Config.model_validate({"name": "laptop"})))
    publish(embedded(), run / "checkpoints", "base", None, {})
    stop = "\nfrom graphs.app.connection import disconnect\ndisconnect()"
    few = block("groups").replace("count=32", "count=2").replace("samples=8", "samples=3")
    try:
        python(few, tmp_path)
    finally:
        python(stop, tmp_path)
    read = block("load_dataset").replace("/rl/", "/sampled/")
    assert python(read + "\nprint(len(rows), sorted(set(rows['stage'])))", tmp_path) == "6 ['sampled']\n"
