"""Phantom tasks, and the parts of a run in which scripts stand for policies."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.tools import BaseTool

from agent.chat.families.family import Family
from agent.policies.scripted import ScriptedPolicy
from rl.config import Config
from rl.rewards.compose import score
from rl.rollout.run_parts import RunParts, open_parts
from rl.tasks.phantoms import tasks as phantoms
from rl.tasks.phantoms.tasks import make
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory, record
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

Parts = Callable[..., RunParts]
Play = Callable[..., Any]


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageStore, list[Task]]:
    """Ten drawn test tasks, two of each kind, and the store that holds their pictures."""
    store = ImageStore(tmp_path_factory.mktemp("gallery"))
    return store, [make(store, "test", index) for index in range(10)]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder with a short path: Ray's sockets lie under it."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield Path(folder)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phantoms stay black, which is quick: for tests of what a task says, not of how it looks."""
    monkeypatch.setattr(phantoms, "draw", lambda rng, lesions: np.zeros((512, 512), np.uint8))


@pytest.fixture
def parts_of(encoder: Family) -> Parts:
    """Makes a run's parts over a store; keyword arguments are sections of the run's config."""

    def made(store: ImageStore, tools: Sequence[BaseTool] | None = None, **sections: Any) -> RunParts:
        config = Config.model_validate({"name": "test", **sections})
        return open_parts(config, encoder, store, None if tools is None else Toolbox(tools))

    return made


@pytest.fixture
def play() -> Play:
    """Runs one episode of a task by a script through the run's graph; its trajectory."""

    async def played(parts: RunParts, task: Task, script: Any, id: str = "t") -> Trajectory:
        state = await parts.ask(task, parts.episode(ScriptedPolicy(script, parts.family)))
        reward, components = score(task, state, parts.config.rl.rewards)
        return record(id, "test", task, state, components, reward, 0.5)

    return played


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"mount: {mounted.stderr.decode()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)
