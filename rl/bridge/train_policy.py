"""Runs OpenRLHF's training as a child of ours: prompts in, saved checkpoints out, nothing left behind.

The child runs behind agent/serving/watchdog.py, in a session and a temporary folder of its own, so that it ends with us
however we end. A run that was cut off goes on from DeepSpeed's last checkpoint.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.serving import watchdog
from rl.bridge.launch import command, environment
from rl.config import Config
from rl.tasks.task import Task


class TrainingError(RuntimeError):
    """OpenRLHF stopped before it was done; the message holds the end of its log."""


def write_prompts(path: Path, tasks: Sequence[Task]) -> Path:
    """The tasks as OpenRLHF's prompt dataset: the question, the task itself as label, no image (the store has them)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        json.dumps({"prompt": task.question, "label": json.dumps(task.to_plain()), "datasource": task.kind})
        for task in tasks
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


async def train_policy(config: Config, run: Path, start: Path, prompts: Path, tick: Callable[[], None]) -> None:
    """Trains from the checkpoint in `start` until OpenRLHF ends; calls `tick` about twice a second meanwhile.

    Raises TrainingError where it fails.
    """
    temporary = Path(tempfile.mkdtemp(prefix="mv-"))  # short: Ray's sockets live under it
    resume = (run / "rl" / "checkpoints" / "_actor" / "latest").exists()
    log = run / "logs" / "openrlhf.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    plan = {
        "command": command(config, run, start, prompts, resume),
        "parent": os.getpid(),
        "idle_s": None,
        "metrics": "",
        "temporary": str(temporary),
        "record": None,
    }
    with log.open("ab") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            watchdog.__file__,
            json.dumps(plan),
            env=environment(config, run, temporary),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    ended = asyncio.create_task(child.wait())
    try:
        while not ended.done():
            tick()
            await asyncio.wait([ended], timeout=0.5)
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()
    if child.returncode:
        end = log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
        raise TrainingError(
            f"OpenRLHF ended with status {child.returncode}; its log is {log}, which ends:\n" + "\n".join(end)
        )
