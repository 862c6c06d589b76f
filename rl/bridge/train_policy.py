"""Runs OpenRLHF's training as a child of ours: prompts in, saved checkpoints out.

A run that was cut off goes on from DeepSpeed's last checkpoint.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rl.bridge.launch import command, environment
from rl.child import run_child
from rl.config import Config
from rl.tasks.task import Task


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
    line = command(config, run, start, prompts, resume)
    await run_child(
        "OpenRLHF", line, environment(config, run, temporary), temporary, run / "logs" / "openrlhf.log", tick
    )
