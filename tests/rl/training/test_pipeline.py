"""The whole loop, real in every part and very small: LangGraph, vLLM, OpenRLHF with DeepSpeed, publish, swap, report.

It is cut off at bad moments and resumed. First it is killed with -9 between two checkpoints, so that a step is done
again. Then it is brought to where a kill between DeepSpeed's last checkpoint and its Hugging Face folder leaves it.
Nothing may be lost, counted twice, or left behind, and while it runs nobody else may reach it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from agent.serving.checkpoint import load_checkpoint, published_checkpoints
from rl.trajectories.store import TrajectoryStore
from tests.sockets import beyond_loopback, listening, with_descendants

ROOT = Path(__file__).resolve().parents[3]
STEPS, SAVED, PROMPTS, SAMPLES, TESTED = 4, 2, 4, 4, 10
EPISODES = PROMPTS * SAMPLES
"""Of one step."""
LAST = f"rl-{STEPS:05d}"
SMALL = (
    f"rl.steps={STEPS}",
    f"rl.prompts_per_step={PROMPTS}",
    f"rl.samples_per_prompt={SAMPLES}",
    f"rl.save_steps={SAVED}",
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


def start(run: Path, temporary: Path, *more: str) -> subprocess.Popen[bytes]:
    """The training command on `run`, as a user starts it, with its temporary files in `temporary`."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with (run.parent / "out.txt").open("ab") as output:
        command = [sys.executable, "-m", "rl.train", "--run", str(run), *more, *SMALL]
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


def kept_weights(run: Path, version: str) -> str:
    """The hash of a published version's weights."""
    return load_checkpoint(run / "checkpoints" / version).files["model.safetensors"]


def printed(run: Path) -> str:
    """The end of what the command printed."""
    return (run.parent / "out.txt").read_text()[-3000:]


def resumed(run: Path, temporary: Path) -> None:
    """The run goes on to its end, and leaves nothing behind."""
    assert start(run, temporary, "--resume").wait() == 0, printed(run)
    assert wait_until_quiet(run, temporary) == []


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_run_that_is_cut_off_resumes_counts_each_episode_once_and_ends_with_a_report(
    tmp_path: Path, temporary: Path
) -> None:
    run = tmp_path / "run"
    sampled = TrajectoryStore(run / "trajectories" / "rl")
    checkpoint = run / "rl" / "checkpoints" / "_actor" / "latest"
    first = start(run, temporary)
    while first.poll() is None and not (checkpoint.exists() and sampled.count() > SAVED * EPISODES):
        time.sleep(0.05)
    assert first.poll() is None, printed(run)
    processes = with_descendants(first.pid)
    stop_all_but_watchdogs(processes)  # while we look, nothing goes on
    sockets, reachable = listening(processes), beyond_loopback(processes)
    assert {"raylet", "gcs_server"} <= {program for program, _, _ in sockets} and reachable == []
    for watchdog in psutil.Process(first.pid).children():  # of OpenRLHF and of the server
        os.kill(watchdog.pid, signal.SIGKILL)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert wait_until_quiet(run, temporary) == []
    before = {each.id: each.rows[0] for each in sampled}
    assert len(before) > SAVED * EPISODES

    resumed(run, temporary)
    kept = list(sampled)
    assert len(kept) == sampled.count() == STEPS * EPISODES
    trained = {each.id for each in kept if each.step is not None and each.step < SAVED}
    assert all(each.rows[0] == before[each.id] for each in kept if each.id in trained)  # these trained, and stay
    assert before.keys() - trained  # some was sampled anew
    report = json.loads((run / "report.json").read_text())
    assert {name: part["n"] for name, part in report["conditions"].items()} == dict.fromkeys(
        ("no_tools", "tools_untrained", "warmup", "trained"), TESTED
    )
    assert report["conditions"]["no_tools"]["tool_call_rate"] == 0
    assert (report["exactness"]["trajectories"], report["exactness"]["refused"]) == (STEPS * EPISODES, 0)
    assert report["exactness"]["mean_logprob_difference"] < 1e-3
    assert report["swaps"][-1]["version"] == LAST
    assert all(swap["failed_requests"] == 0 and swap["stale_answers"] == 0 for swap in report["swaps"])
    assert [each.version for each in published_checkpoints(run / "checkpoints")] == ["base", "warmup", "rl-00002", LAST]
    weights = kept_weights(run, LAST)
    assert kept_weights(run, "warmup") != weights, "training must change weights"
    assert (run / "report.html").stat().st_size > 10_000

    stages = json.loads((run / "stages.json").read_text())
    (run / "stages.json").write_text(json.dumps({each: stages[each] for each in ("base", "warmup", "evaluate_before")}))
    for folder in (run / "checkpoints" / LAST, run / "trajectories" / "trained", run / "rl" / "final"):
        shutil.rmtree(folder)
    saved = run / "rl" / "checkpoints" / f"global_step{STEPS}_hf"
    (saved / "tokenizer.json").write_bytes((saved / "tokenizer.json").read_bytes()[:1000])
    resumed(run, temporary)
    assert published_checkpoints(run / "checkpoints")[-1].version == LAST
    assert kept_weights(run, LAST) == weights
    answers = list(TrajectoryStore(run / "trajectories" / "trained"))
    assert [each.versions for each in answers] == [[LAST]] * TESTED
    assert list(sampled) == kept
