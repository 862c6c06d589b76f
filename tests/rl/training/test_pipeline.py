"""The whole loop, real in every part and very small: LangGraph, vLLM, OpenRLHF with DeepSpeed, publish, swap, report.

It is killed with -9 in the middle of reinforcement learning and resumed. Nothing may be lost, counted twice, or left
behind, and while it runs nobody else may reach it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from agent.serving.checkpoint import published_checkpoints
from rl.trajectories.store import TrajectoryStore
from tests.sockets import beyond_loopback, listening, with_descendants

ROOT = Path(__file__).resolve().parents[3]
STEPS, PROMPTS, SAMPLES, TESTED = 3, 4, 4, 10
SMALL = (
    f"rl.steps={STEPS}",
    f"rl.prompts_per_step={PROMPTS}",
    f"rl.samples_per_prompt={SAMPLES}",
    "rl.save_steps=1",
    "rl.openrlhf.train.batch_size=16",
    "rl.openrlhf.train.micro_batch_size=8",
    "rl.openrlhf.rollout.micro_batch_size=8",
    "warmup.trajectories=20",
    "warmup.epochs=1",
    "warmup.replayed=4",
    "tasks.train=12",
    f"tasks.test={TESTED}",
    "tasks.validation=4",
)


def start(run: Path, temporary: Path, *more: str, settings: Sequence[str] = SMALL) -> subprocess.Popen[bytes]:
    """The training command on `run`, as a user starts it, with its temporary files in `temporary`."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with (run.parent / "out.txt").open("ab") as output:
        command = [sys.executable, "-m", "rl.train", "--run", str(run), *more, *settings]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )


def at_work(run: Path) -> list[psutil.Process]:
    """Processes whose command line or environment names the run."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            named = str(run) in " ".join(process.cmdline()) or process.environ().get("MEDVISTA_RUN") == str(run)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if named and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def wait_until_quiet(run: Path, temporary: Path, seconds: float = 240) -> list[psutil.Process | Path]:
    """What is still running or lies in `temporary` after at most `seconds`."""
    until = time.monotonic() + seconds
    while (left := [*at_work(run), *ours(temporary)]) and time.monotonic() < until:
        time.sleep(0.5)
    return left


def ours(temporary: Path) -> list[Path]:
    """What lies in the folder, but for torch's cache of what it compiled, and the folder of keys if it is empty."""
    keys = temporary / f"medvista-{os.getuid()}"
    found = [each for each in temporary.iterdir() if not each.name.startswith("torchinductor") and each != keys]
    return [*found, *(keys.iterdir() if keys.is_dir() else ())]


def stop_all_but_watchdogs(pids: list[int]) -> None:
    """As kill -STOP does."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if not any("watchdog.py" in word for word in psutil.Process(pid).cmdline()):
                psutil.Process(pid).suspend()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_that_is_killed_resumes_and_ends_with_a_report(tmp_path: Path, temporary: Path) -> None:
    run = tmp_path / "run"
    first = start(run, temporary)
    while first.poll() is None and not list((run / "trajectories" / "rl").glob("*.jsonl")):
        time.sleep(0.2)
    assert first.poll() is None, (tmp_path / "out.txt").read_text()[-3000:]
    processes = with_descendants(first.pid)
    stop_all_but_watchdogs(processes)  # while we look, nothing goes on
    sockets, reachable = listening(processes), beyond_loopback(processes)
    assert {"raylet", "gcs_server"} <= {program for program, _, _ in sockets} and reachable == []
    for watchdog in psutil.Process(first.pid).children():  # of OpenRLHF and of the server
        os.kill(watchdog.pid, signal.SIGKILL)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert wait_until_quiet(run, temporary) == []
    before = {trajectory.id for trajectory in TrajectoryStore(run / "trajectories" / "rl")}

    assert start(run, temporary, "--resume").wait() == 0, (tmp_path / "out.txt").read_text()[-3000:]
    assert wait_until_quiet(run, temporary) == []

    sampled = [trajectory.id for trajectory in TrajectoryStore(run / "trajectories" / "rl")]
    assert len(sampled) == len(set(sampled)) >= STEPS * PROMPTS * SAMPLES
    assert before <= set(sampled)
    report = json.loads((run / "report.json").read_text())
    assert {name: part["n"] for name, part in report["conditions"].items()} == dict.fromkeys(
        ("no_tools", "tools_untrained", "warmup", "trained"), TESTED
    )
    assert report["conditions"]["no_tools"]["tool_call_rate"] == 0
    assert report["exactness"]["refused"] == 0
    assert report["exactness"]["mean_logprob_difference"] < 1e-3
    assert [swap["version"] for swap in report["swaps"]] == ["rl-00001", "rl-00002", "rl-00003"]
    assert all(swap["failed_requests"] == 0 and swap["stale_answers"] == 0 for swap in report["swaps"])
    versions = published_checkpoints(run / "checkpoints")
    assert [version.version for version in versions] == ["base", "warmup", "rl-00001", "rl-00002", "rl-00003"]
    before_rl, after_rl = versions[1], versions[-1]
    assert before_rl.files["model.safetensors"] != after_rl.files["model.safetensors"], "training must change weights"
    assert (run / "report.html").stat().st_size > 10_000
