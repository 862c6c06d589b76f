"""Training as a child of ours: its prompts, its end, its failure, and ours."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
import torch

from rl.config import Config
from rl.processes.child import TrainingError
from rl.tasks.task import Task
from rl.training.trainers.openrlhf import trainer as training
from rl.training.trainers.openrlhf.trainer import OpenRLHF, write_prompts
from rl.training.trainers.trainer import TrainingJob

CONFIG = Config(name="test")


def test_prompts_hold_the_task_and_no_image(tmp_path: Path) -> None:
    tasks = [Task(f"t/{number}", "name", "What?\n", ("a" * 64,), "solid", "exact", True) for number in range(3)]
    path = write_prompts(tmp_path / "tasks" / "prompts.jsonl", tasks)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    labels = [json.loads(line["label"]) for line in lines]
    assert [(label["place"], Task.from_plain(label["task"])) for label in labels] == list(enumerate(tasks))
    assert [(line["prompt"], line["datasource"]) for line in lines] == [("What?\n", "name")] * 3
    assert all("images" not in line for line in lines)


async def train(run: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> list[bool]:
    """Trains with a child that runs `code` instead of OpenRLHF; whether it was told to resume."""
    resumed: list[bool] = []

    def command(config: Config, run: Path, policy: Path, prompts: Path, resume: bool = False) -> list[str]:
        resumed.append(resume)
        return [sys.executable, "-c", code]

    monkeypatch.setattr(training, "command", command)
    ticks: list[int] = []
    await OpenRLHF().train(TrainingJob(run, CONFIG, run / "warmup", [], lambda: ticks.append(1)))
    assert ticks
    return resumed


async def test_a_training_that_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os; print(os.environ['MEDVISTA_RUN'], os.environ['TMPDIR'])"
    assert await train(tmp_path, monkeypatch, code) == [False]
    run, temporary = (tmp_path / "logs" / "openrlhf.log").read_text().split()
    assert run == str(tmp_path)
    assert not Path(temporary).exists()  # nothing is left behind


async def test_a_training_that_was_cut_off_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = tmp_path / "rl" / "checkpoints" / "_actor" / "global_step10"
    checkpoint.mkdir(parents=True)
    torch.save({}, checkpoint / "mp_rank_00_model_states.pt")
    (checkpoint.parent / "latest").write_text(checkpoint.name)
    assert await train(tmp_path, monkeypatch, "pass") == [True]


async def test_a_training_that_fails_shows_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; [print('line', n, flush=True) for n in range(100)]; sys.exit('out of memory')"
    with pytest.raises(TrainingError, match=r"ended with status 1; its log is .*openrlhf.log, which ends:") as raised:
        await train(tmp_path, monkeypatch, code)
    assert "out of memory" in str(raised.value) and "line 99" in str(raised.value)
    assert "line 50\n" not in str(raised.value)


async def test_a_run_that_is_stopped_takes_its_training_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    running = asyncio.create_task(train(tmp_path, monkeypatch, code))
    log = tmp_path / "logs" / "openrlhf.log"
    while not (log.exists() and log.read_text().endswith("\n")):
        await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    child = int(log.read_text())
    for _ in range(100):
        if not _alive(child):
            break
        await asyncio.sleep(0.1)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
