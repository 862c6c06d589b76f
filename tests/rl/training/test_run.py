"""A run's folder and stages: nothing is done twice, and nobody else's run is touched."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.serving.checkpoint import CheckpointError, latest, load, publish, published
from agent.serving.versions import LiveVersions
from rl.config import LAPTOP, ROOT, Config, dump, load_config
from rl.train import main
from rl.training import run as running
from rl.training.base import NoBaseError, prepare
from rl.training.run import RunExists, Stages
from rl.training.trainers.openrlhf.trainer import write_prompts

Open = Callable[..., Stages]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens the run in this test's folder as a new process would, the one before having ended."""
    before: list[Stages] = []

    def open_again(resume: bool = False, **sections: Any) -> Stages:
        for stages in before:
            stages.at_work.close()
        before.append(Stages.open(tmp_path / "run", Config.model_validate({"name": "test", **sections}), resume))
        return before[-1]

    return open_again


def test_a_new_run_writes_its_resolved_config(opened: Open) -> None:
    stages = opened(seed=3)
    assert load_config(stages.run / "config.yaml") == stages.config
    assert stages.seconds() == {}


def test_a_folder_that_holds_a_run_is_not_begun_again(opened: Open) -> None:
    opened()
    with pytest.raises(RunExists, match="which holds a run; go on with --resume, or choose another --run"):
        opened()


def test_a_run_is_resumed_with_its_own_config_only(opened: Open) -> None:
    first = opened()
    assert opened(resume=True).config == first.config
    with pytest.raises(RunExists, match=r"Got a config that differs from .*config\.yaml; resume with the same one"):
        opened(resume=True, seed=1)
    assert (first.run / "config.yaml").read_text() == dump(first.config)


def test_resuming_what_never_began_begins_it(opened: Open) -> None:
    assert (opened(resume=True).run / "config.yaml").exists()


def test_a_folder_in_which_a_process_is_at_work_is_left_alone(opened: Open) -> None:
    stages = opened()
    with pytest.raises(RunExists, match="another process is at work; wait for it, or choose another --run"):
        Stages.open(stages.run, stages.config, resume=True)


@pytest.mark.parametrize("name", ["", "run"])
def test_a_run_folder_that_cannot_be_written_is_said_in_a_line(
    small_disk: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert main(["--config", str(LAPTOP), "--run", str(small_disk / name)]) == 2
    assert re.search(r"error: --run: Got .*disk.* cannot be written, expected a folder", capsys.readouterr().err)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("by_hand", [False, True])
async def test_what_a_run_keeps_is_its_owners_alone(with_base: Open, tmp_path: Path, by_hand: bool) -> None:
    before = os.umask(0)
    try:
        if by_hand:
            (tmp_path / "run").mkdir(0o755)
        stages = with_base(tasks={"test": 3})
        await stages.base()
        stages.tasks("test")
        write_prompts(stages.run / "tasks" / "prompts.jsonl", stages.tasks("test"))
    finally:
        os.umask(before)
    ours = [stages.run, *(stages.run / "tasks").rglob("*"), stages.run / "tasks"]
    assert [oct(each.stat().st_mode & 0o077) for each in ours] == ["0o0"] * 4


PUBLISHER = """
import sys
from pathlib import Path
from agent.serving.checkpoint import publish
source, versions = map(Path, sys.argv[1:])
publish(source, versions, "rl-00010", None, {}, source)
"""


def test_half_a_version_that_a_kill_left_is_swept_when_the_run_goes_on(
    opened: Open, random_checkpoint: Path, tmp_path: Path
) -> None:
    stages = opened()
    source = tmp_path / "source"
    shutil.copytree(random_checkpoint, source)
    with (source / "model.safetensors").open("ab") as weights:
        weights.truncate(2**28)  # long enough to copy and to hash that it is killed meanwhile
    stages.versions.mkdir()
    with subprocess.Popen([sys.executable, "-c", PUBLISHER, source, stages.versions], cwd=ROOT) as child:
        while not (half := list(stages.versions.glob(".rl-00010.*/*"))):
            assert child.poll() is None
        child.kill()
    assert half[0].exists() and not (stages.versions / "rl-00010").exists()
    opened(resume=True)
    assert not half[0].parent.exists()


def test_the_lock_ends_with_the_process_that_held_it(opened: Open) -> None:
    stages = opened()
    stages.at_work.close()
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from rl.config import load_config\nfrom rl.training.run import Stages\n"
        "run = Path(sys.argv[1])\nStages.open(run, load_config(run / 'config.yaml'), resume=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(stages.run)], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    opened(resume=True)


def test_a_stage_that_was_done_is_not_done_again(opened: Open) -> None:
    done: list[str] = []

    def work(name: str) -> Callable[[], Any]:
        async def worked() -> None:
            done.append(name)

        return worked

    stages = opened()
    asyncio.run(stages.stage("base", work("first")))
    asyncio.run(opened(resume=True).stage("base", work("again")))
    asyncio.run(opened(resume=True).stage("warmup", work("next")))
    assert done == ["first", "next"]
    assert list(json.loads((stages.run / "stages.json").read_text())) == ["base", "warmup"]
    assert all(seconds >= 0 for seconds in stages.seconds().values())


def test_a_stage_that_fails_is_done_again(opened: Open) -> None:
    async def fail() -> None:
        raise RuntimeError("power cut")

    stages = opened()
    with pytest.raises(RuntimeError, match="power cut"):
        asyncio.run(stages.stage("base", fail))
    assert stages.seconds() == {}


@pytest.fixture
def with_base(opened: Open, random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """As `opened`, the embedded base being a random one."""
    monkeypatch.setattr(running.base, "prepare", lambda config, work: random_checkpoint)
    return opened


async def test_the_base_is_published_once(with_base: Open) -> None:
    stages = with_base()
    await stages.base()
    await stages.base()
    assert [checkpoint.version for checkpoint in published(stages.versions)] == ["base"]


async def test_without_warm_up_the_base_is_the_warm_up(with_base: Open) -> None:
    stages = with_base(warmup={"enabled": False})
    await stages.base()
    for _ in range(2):
        await stages.warm_up()
    base, warmup = load(stages.versions / "base"), load(stages.versions / "warmup")
    assert warmup.parent == "base" and warmup.files["model.safetensors"] == base.files["model.safetensors"]
    assert latest(stages.versions) == warmup


@pytest.mark.usefixtures("undrawn")
async def test_tasks_are_drawn_once_and_held_out_ones_are_the_same_for_every_seed(
    with_base: Open, tmp_path: Path, random_checkpoint: Path
) -> None:
    counts = {"train": 6, "validation": 5, "test": 7}
    stages = with_base(tasks=counts)
    await stages.base()
    assert {split: len(stages.tasks(split)) for split in counts} == counts
    assert stages.tasks("train") == stages.tasks("train")
    stages.at_work.close()
    config = Config.model_validate({"name": "test", "seed": 1, "tasks": counts})
    other = Stages.open(tmp_path / "other", config, resume=False)
    publish(random_checkpoint, other.versions, "base", None, {}, random_checkpoint)
    assert other.tasks("test") == stages.tasks("test")
    assert other.tasks("validation") == stages.tasks("validation")
    assert not {task.id for task in other.tasks("train")} & {task.id for task in stages.tasks("train")}


@pytest.mark.parametrize(
    ("steps", "known", "live"), [(7, False, ["rl-00007"]), (7, True, []), (10, False, ["rl-00010"])]
)
async def test_the_weights_of_the_last_step_go_live_unless_they_did(
    opened: Open, random_checkpoint: Path, steps: int, known: bool, live: list[str]
) -> None:
    stages = opened(rl={"steps": steps, "save_steps": 5})
    if known:  # saved by OpenRLHF, or a kill came between the swap and the stage's end
        publish(random_checkpoint, stages.versions, "rl-00007", None, {}, random_checkpoint)
    went: list[str] = []

    class Publisher:
        def seal(self, step: int, folder: Path) -> str:
            assert folder == stages.run / "rl" / "final"
            return f"rl-{step:05d}"

        async def go_live(self, version: str) -> None:
            went.append(version)

    publisher: Any = Publisher()
    await stages._last(publisher)
    assert went == live


class Server:
    """A server that holds a version, and of which nothing is asked here."""

    base_url = "http://127.0.0.1:1"

    def __init__(self, *versions: str) -> None:
        self.versions = LiveVersions(*versions)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Versions whose answers an evaluation finds or gets, in place of asking; it empties itself when it is asked."""
    stamped: list[str] = []

    async def ask_all(*_: Any) -> list[Any]:
        found = [SimpleNamespace(versions=[version]) for version in stamped]
        stamped.clear()
        return found

    monkeypatch.setattr(running, "ask_all", ask_all)
    return stamped


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("condition", "live"),
    [("trained", ["warmup", "rl-00005"]), ("warmup", ["base"]), ("no_tools", ["base", "warmup"])],
)
async def test_a_condition_is_not_asked_of_other_weights_than_its_own(
    with_base: Open, answered: list[str], condition: str, live: list[str]
) -> None:
    stages = with_base(rl={"steps": 10, "save_steps": 5}, tasks={"test": 3})
    await stages.base()
    answered.append("not asked")
    server: Any = Server(*live)
    with pytest.raises(CheckpointError, match=f"Got the version {live[-1]} on the server, expected"):
        await stages.evaluate(server, condition)
    assert answered == ["not asked"]


@pytest.mark.usefixtures("undrawn")
async def test_answers_of_other_weights_do_not_count_as_the_trained_policys(
    with_base: Open, answered: list[str]
) -> None:
    stages = with_base(rl={"steps": 10, "save_steps": 5}, tasks={"test": 3})
    await stages.base()
    server: Any = Server("warmup", "rl-00005", "rl-00010")
    answered += ["rl-00010", "rl-00010"]
    await stages.evaluate(server, "trained")
    answered += ["rl-00010", "rl-00005"]  # from before a kill, or because somebody swapped
    with pytest.raises(CheckpointError, match=r"Got answers of rl-00005 in .*trained, expected only some of rl-00010"):
        await stages.evaluate(server, "trained")


async def test_a_trained_run_whose_last_step_was_never_published_is_not_served(
    with_base: Open, random_checkpoint: Path
) -> None:
    stages = with_base(rl={"steps": 10, "save_steps": 5})
    await stages.base()
    publish(random_checkpoint, stages.versions, "rl-00005", "base", {}, random_checkpoint)
    (stages.run / "stages.json").write_text(json.dumps({"base": 1, "warmup": 1, "evaluate_before": 1, "rl": 1}))
    with pytest.raises(
        CheckpointError, match=r"Got no rl-00010 in .*checkpoints, expected .* stages\.json .* take it out"
    ):
        async with stages.served():
            pass


def test_without_a_base_it_is_said(tmp_path: Path) -> None:
    config = Config.model_validate({"name": "test", "base": {"checkpoint": str(tmp_path / "none")}})
    with pytest.raises(NoBaseError, match=r"Got no checkpoint in .*none; give another folder"):
        prepare(config, tmp_path / "work")


def test_a_bases_weights_are_served_in_float32(tmp_path: Path, random_checkpoint: Path) -> None:
    from safetensors import safe_open

    config = Config.model_validate({"name": "test", "base": {"checkpoint": str(random_checkpoint)}})
    folder = prepare(config, tmp_path / "work")
    with safe_open(folder / "model.safetensors", framework="numpy") as weights:  # bfloat16 could not be read
        assert {str(weights.get_tensor(name).dtype) for name in weights.keys()} == {"float32"}  # noqa: SIM118
    assert (folder / "processor_config.json").exists()
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float32"
