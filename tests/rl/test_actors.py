"""Ray actors play episodes as this process would; one that dies costs nobody's work, and nothing is left behind."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.policies.policy import Policy, PolicyError
from agent.policies.scripted import ScriptedPolicy
from rl.actors import Actors
from rl.config import Config, dump
from rl.rollout import RunParts, open_run
from rl.schedule import Job, Lost, played
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from tests.rl.scripts import answers
from tools.images.store import ImageStore


def scripted(marks: Path, parts: RunParts) -> Policy:
    """Says "solid" and, as its version, in which process; fails over measurements, and dies once.

    `marks`: a folder that tells whether it has died.
    """

    def script(turn: int, chat: str) -> str:
        del turn
        if not any(marks.iterdir()):
            (marks / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if "mm" in chat:
            raise PolicyError("gone")
        return answers("solid")[0]

    return ScriptedPolicy(script, parts.encoder, version=str(os.getpid()))


@pytest.mark.slow
async def test_episodes_by_actors(tmp_path: Path, processor: Any, gallery: tuple[ImageStore, list[Task]]) -> None:
    run, marks = tmp_path / "run", tmp_path / "marks"
    marks.mkdir()
    run.mkdir()
    (run / "config.yaml").write_text(dump(Config(name="actors")))
    (run / "images").symlink_to(gallery[0].folder)
    processor.save_pretrained(run / "checkpoints" / "base")
    jobs = [Job(task, id=task.id) for task in gallery[1]]
    with Actors(partial(open_run, run), partial(scripted, marks), count=2, stage="rl") as actors:
        folder = actors.folder
        found = [each async for each in played(jobs, actors.ask, 4)]
    finished = {each.id: each for each in found if isinstance(each, Trajectory)}
    lost = [each.job.task.kind for each in found if isinstance(each, Lost)]
    assert lost == ["measure", "measure"] and len(finished) == 8
    assert all(each.answer == "solid" and each.stage == "rl" for each in finished.values())
    assert finished["phantoms/test/0/0"].rewards["answer"] == float(gallery[1][0].answer == "solid")
    assert list(marks.iterdir()) and {int(each.versions[0]) for each in finished.values()} - {os.getpid()}
    assert folder is not None and not [
        each for each in psutil.Process().children(recursive=True) if "ray" in each.name()
    ]
