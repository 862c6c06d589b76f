"""Runs OpenRLHF's training as a child of ours: prompts in, saved checkpoints out.

A run that was cut off goes on from DeepSpeed's last whole checkpoint (rl/training/trainers/openrlhf/resume.py).
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rl.config import Config
from rl.processes.child import run_child
from rl.tasks.task import Task
from rl.training.trainers.openrlhf.command import command, environment
from rl.training.trainers.openrlhf.resume import resume_from
from tools.private_files import private_folder, write_private


def write_prompts(path: Path, tasks: Sequence[Task]) -> Path:
    """The tasks as OpenRLHF's prompt dataset: the question, no image (the store has them), and as label the task and
    its place among the prompts, by which a training that goes on knows again what it samples anew. Raises WriteError.
    """
    lines = (
        json.dumps(
            {
                "prompt": task.question,
                "label": json.dumps({"place": place, "task": task.to_plain()}),
                "datasource": task.kind,
            }
        )
        for place, task in enumerate(tasks)
    )
    private_folder(path.parent)
    write_private(path, ("\n".join(lines) + "\n").encode())
    return path


async def train_policy(config: Config, run: Path, start: Path, prompts: Path, tick: Callable[[], None]) -> None:
    """Trains from the checkpoint in `start` until OpenRLHF ends; calls `tick` about twice a second meanwhile.

    Raises TrainingError where it fails.
    """
    temporary = Path(tempfile.mkdtemp(prefix="mv-"))  # short: Ray's sockets live under it
    resume = resume_from(run / "rl" / "checkpoints") > 0
    line = command(config, run, start, prompts, resume)
    await run_child(
        "OpenRLHF", line, environment(config, run, temporary), temporary, run / "logs" / "openrlhf.log", tick
    )
