"""A compilation of DeepSpeed's ops that was killed does not stop the next training."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rl.processes.child import TrainingError, run_child

COMPILES = """
import sys, time
from torch.utils.file_baton import FileBaton
assert FileBaton(sys.argv[1]).try_acquire()
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def compiling(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that compiles an op, as far as others can see."""
    (tmp_path / "ops" / "fused_adam").mkdir(parents=True)
    lock = tmp_path / "ops" / "fused_adam" / "lock"
    with subprocess.Popen([sys.executable, "-c", COMPILES, str(lock)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() and lock.exists()
        yield process
        process.kill()


async def finds_a_lock(tmp_path: Path) -> bool:
    """Whether a lock is there when a training program starts."""
    ops = tmp_path / "ops"
    (tmp_path / "child").mkdir()
    code = "import pathlib, sys; sys.exit(pathlib.Path(sys.argv[1], 'fused_adam', 'lock').exists())"
    environment = {**os.environ, "TORCH_EXTENSIONS_DIR": str(ops)}
    command = [sys.executable, "-c", code, str(ops)]
    try:
        await run_child("Looking", command, environment, tmp_path / "child", tmp_path / "log")
    except TrainingError:
        return True
    return False


async def test_the_lock_of_a_killed_compilation_is_removed(compiling: subprocess.Popen[bytes], tmp_path: Path) -> None:
    compiling.send_signal(signal.SIGKILL)
    compiling.wait()
    assert not await finds_a_lock(tmp_path)


@pytest.mark.usefixtures("compiling")
async def test_the_lock_of_one_that_goes_on_stays(tmp_path: Path) -> None:
    assert await finds_a_lock(tmp_path)
