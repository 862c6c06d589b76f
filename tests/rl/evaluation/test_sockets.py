"""An evaluation, with the vLLM that it starts, is reached from this machine alone."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from rl.config import ROOT
from tests.sockets import beyond_loopback, listening, with_descendants

BASE = ROOT / "rl" / "toy" / "checkpoint"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_evaluation_listens_on_loopback_alone(tmp_path: Path) -> None:
    asked = ["--policy", str(BASE), "--count", "4", "--pairs", "0", "--out", str(tmp_path)]
    found: set[tuple[str, str, int]] = set()
    reachable: set[tuple[str, str, int]] = set()
    with (tmp_path / "out.txt").open("wb") as output:
        command = [sys.executable, "-m", "rl.evaluate", *asked]
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        while process.poll() is None:
            ours = with_descendants(process.pid)
            found |= set(listening(ours))
            reachable |= set(beyond_loopback(ours))
            time.sleep(0.2)
    assert process.returncode == 0, (tmp_path / "out.txt").read_text()[-3000:]
    assert found and reachable == set()
