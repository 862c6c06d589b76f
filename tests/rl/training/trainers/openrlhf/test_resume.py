"""A training that was cut off goes on from what is whole, and what it samples anew is not there twice."""

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.encoder import Encoder
from rl.config import ROOT, Config
from rl.processes.child import TrainingError
from rl.tasks.task import Task
from rl.training.summary import curves
from rl.training.trainers.openrlhf import trainer as training
from rl.training.trainers.openrlhf.command import EXECUTOR, RUN_FOLDER
from rl.training.trainers.openrlhf.trainer import OpenRLHF, write_prompts
from rl.training.trainers.trainer import TrainingJob
from rl.trajectories.store import TrajectoryStore
from tests.rl.scripts import answers
from tests.rl.training.test_whole_files import saved
from tests.rl.training.trainers.openrlhf.conftest import Engine, Params
from tools.images.store import ImageStore

Gallery = tuple[ImageStore, list[Task]]
SHARDS = ("mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt")


def checkpoint(role: Path, step: int, *files: str) -> Path:
    """A checkpoint as DeepSpeed leaves it, named as the last one."""
    folder = role / f"global_step{step}"
    folder.mkdir(parents=True)
    for name in files or SHARDS:
        torch.save({"step": torch.full((2000,), float(step))}, folder / name)
    (role / "latest").write_text(folder.name)
    return folder


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    return tmp_path / "rl" / "checkpoints"


@pytest.fixture
def go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Trains with a child that does nothing in place of OpenRLHF; whether it was told to resume."""
    told: list[bool] = []

    def command(config: Config, run: Path, policy: Path, prompts: Path, resume: bool = False) -> list[str]:
        told.append(resume)
        return [sys.executable, "-c", "pass"]

    def gone_on() -> bool:
        asyncio.run(OpenRLHF().train(TrainingJob(tmp_path, Config(name="test"), tmp_path, [])))
        return told[-1]

    monkeypatch.setattr(training, "command", command)
    return gone_on


def latest(checkpoints: Path, role: str = "_actor") -> str:
    return (checkpoints / role / "latest").read_text()


def test_half_a_checkpoint_goes_before_the_whole_one_would(checkpoints: Path, go_on: Callable[[], bool]) -> None:
    whole = checkpoint(checkpoints / "_actor", 10)
    half = checkpoint(checkpoints / "_actor", 20, SHARDS[0])  # the other process had not begun its part
    (checkpoints / "_actor" / "latest").write_text(whole.name)
    cut(half / SHARDS[0])
    assert go_on() is True
    assert whole.exists() and not half.exists() and latest(checkpoints) == "global_step10"


@pytest.mark.parametrize("content", ["", "global_step20"])
def test_a_latest_that_names_nothing_whole_is_set_back(
    checkpoints: Path, go_on: Callable[[], bool], content: str
) -> None:
    checkpoint(checkpoints / "_actor", 10)
    cut(checkpoint(checkpoints / "_actor", 20) / SHARDS[1])
    (checkpoints / "_actor" / "latest").write_text(content)
    assert go_on() is True
    assert latest(checkpoints) == "global_step10"
    assert not (checkpoints / "_actor" / "global_step20").exists()


def test_actor_and_critic_go_on_from_the_same_step(checkpoints: Path, go_on: Callable[[], bool]) -> None:
    for role, steps in (("_actor", (10, 20)), ("_critic", (10,))):
        for step in steps:
            checkpoint(checkpoints / role, step)
    assert go_on() is True
    assert [latest(checkpoints, role) for role in ("_actor", "_critic")] == ["global_step10"] * 2


def test_half_a_folder_of_weights_goes_a_whole_one_stays(checkpoints: Path, go_on: Callable[[], bool]) -> None:
    for step in (10, 20):
        checkpoint(checkpoints / "_actor", step)
        saved(checkpoints / f"global_step{step}_hf")
    cut(checkpoints / "global_step20_hf" / "model.safetensors")
    assert go_on() is True
    assert latest(checkpoints) == "global_step20"  # nothing trained is lost
    assert [path.name for path in sorted(checkpoints.glob("*_hf"))] == ["global_step10_hf"]


def test_a_first_save_that_was_cut_off_begins_anew(checkpoints: Path, go_on: Callable[[], bool]) -> None:
    cut(checkpoint(checkpoints / "_actor", 10) / SHARDS[0])
    (checkpoints / "_actor" / "latest").unlink()
    assert go_on() is False


def test_a_critic_that_had_not_saved_yet_begins_anew_with_the_actor(
    checkpoints: Path, go_on: Callable[[], bool]
) -> None:
    checkpoint(checkpoints / "_actor", 10)
    (checkpoints / "_critic" / "global_step10").mkdir(parents=True)
    assert go_on() is False
    assert not (checkpoints / "_actor" / "latest").exists()  # nor does the executor count on from there


def test_where_all_that_was_finished_is_damaged_nothing_is_removed(
    checkpoints: Path, go_on: Callable[[], bool]
) -> None:
    folder = checkpoint(checkpoints / "_actor", 10)
    cut(folder / SHARDS[0])
    with pytest.raises(
        TrainingError, match=r"Got no whole checkpoint .* or remove .*: reinforcement learning then begins"
    ):
        go_on()
    assert folder.exists()


WRITER = """
import sys, torch
from pathlib import Path
folder = Path(sys.argv[1])
folder.mkdir(parents=True)
print("begun", flush=True)
torch.save({str(n): torch.zeros(2**20) for n in range(400)}, folder / sys.argv[2])
print("done", flush=True)
"""


def test_a_process_that_is_killed_while_it_saves(checkpoints: Path, go_on: Callable[[], bool]) -> None:
    whole = checkpoint(checkpoints / "_actor", 10)
    half = checkpoints / "_actor" / "global_step20"
    command = [sys.executable, "-c", WRITER, str(half), SHARDS[0]]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "begun\n"
        while not (half / SHARDS[0]).exists() or (half / SHARDS[0]).stat().st_size == 0:
            assert writer.poll() is None
        writer.kill()
        assert writer.stdout.read() == "", "it was faster than its killer"
    assert go_on() is True
    assert whole.exists() and not half.exists() and latest(checkpoints) == "global_step10"


def test_what_is_sampled_anew_takes_the_place_of_what_it_replaces(
    run: Path, gallery: Gallery, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six prompts, two a step; the kill comes in step three, the last checkpoint is of step one."""
    prompts = write_prompts(run / "tasks" / "prompts.jsonl", [gallery[1][place % 3] for place in range(6)])
    labels = [json.loads(line)["label"] for line in prompts.read_text().splitlines()]
    monkeypatch.setenv(RUN_FOLDER, str(run))

    def train(places: range, said: str) -> None:
        spec = importlib.util.spec_from_file_location("agent_module", EXECUTOR)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        executor: Any = module.AgentExecutor()
        for place in places:
            engine = Engine(answers(said), encoder)
            asyncio.run(executor.execute("", labels[place], Params(), 512, None, engine))

    train(range(5), "before")
    checkpoint(run / "rl" / "checkpoints" / "_actor", 1)
    train(range(2, 6), "after")
    store = TrajectoryStore(run / "trajectories" / "rl")
    kept = [(each.answer, each.versions) for each in store]
    assert kept == [
        ("before", ["step-00000"]),
        ("before", ["step-00000"]),
        ("after", ["step-00001"]),
        ("after", ["step-00001"]),
        ("after", ["step-00002"]),
        ("after", ["step-00002"]),
    ]
    assert store.count() == 6
    assert [row["step"] for row in curves(list(store))] == [1.0, 2.0, 3.0]
    store.seal()
    assert [(each.answer, each.versions) for each in store] == kept
