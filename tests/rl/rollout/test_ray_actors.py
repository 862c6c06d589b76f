"""Ray actors play episodes as this process would; one that dies costs nobody's work, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.policies.policy import Policy, PolicyError
from agent.policies.scripted import ScriptedPolicy
from agent.protocol import Turn, render_turn
from rl.config import Config, dump
from rl.processes.ray_patches import RayStartError
from rl.rollout.ray_actors import Actors
from rl.rollout.run_parts import RunParts, open_run
from rl.rollout.schedule import Job, Lost, played
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from tests.sockets import beyond_loopback, listening, with_descendants
from tools.images.store import ImageStore

ANOTHER_USER = """
import http.client, json, os, sys, urllib.request
import ray

cluster, *ports = sys.argv[1:]
try:
    ray.init(address=cluster, log_to_driver=False)
    got = ["joined"]
except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
    got = []
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
job = json.dumps({"entrypoint": "id"}).encode()
for port in ports:
    for api in ("job_agent/jobs", "jobs"):
        url = f"http://127.0.0.1:{port}/api/{api}/"
        request = urllib.request.Request(url, job, {"content-type": "application/json"})
        try:
            got.append(f"{url} {urllib.request.urlopen(request, timeout=20).status}")
        except (OSError, http.client.HTTPException):  # refused, or no HTTP
            continue
print(json.dumps(got))
"""
"""Of a process that has our address and not our token: what it gets."""


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
        return render_turn(Turn("I can see it.", answer="solid"))

    return ScriptedPolicy(script, parts.family, version=str(os.getpid()))


@pytest.fixture
def by_value() -> None:
    """This file's functions travel with the pickle: actors cannot import tests."""
    from ray import cloudpickle

    library: Any = cloudpickle
    library.register_pickle_by_value(sys.modules[__name__])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("by_value")
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
        ours = with_descendants(os.getpid())
        sockets, reachable = listening(ours), beyond_loopback(ours)
    finished = {each.id: each for each in found if isinstance(each, Trajectory)}
    lost = [(each.job.task.kind, each.reason) for each in found if isinstance(each, Lost)]
    assert [kind for kind, _ in lost] == ["measure", "measure"] and "gone" in lost[0][1], lost
    assert len(finished) == 8 and all(each.answer == "solid" and each.stage == "rl" for each in finished.values())
    assert finished["phantoms/test/0/0"].rewards["answer"] == float(gallery[1][0].answer == "solid")
    assert list(marks.iterdir()) and os.getpid() not in {int(each.versions[0]) for each in finished.values()}
    assert len(sockets) > 5 and reachable == []
    assert folder is not None and not folder.exists()
    left = [each for each in psutil.Process().children(recursive=True) if each.name() in ("raylet", "gcs_server")]
    assert not [each for each in left if each.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_actor_that_cannot_open_its_run_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(Exception, match=r"config\.yaml, which cannot be read"),
        Actors(partial(open_run, tmp_path), partial(scripted, tmp_path), count=1, stage="rl"),
    ):
        pass


def nothing(*_: Any) -> Any:
    """In the place of a graph or a policy."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("by_value")
def test_another_user_of_this_machine_gets_nothing_from_our_ray() -> None:
    with Actors(nothing, nothing, count=1, stage="rl") as actors:
        import ray

        library: Any = ray
        cluster = library.get_runtime_context().gcs_address
        ports = [str(port) for _, _, port in listening(with_descendants(os.getpid()))]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        done = subprocess.run(
            [sys.executable, "-c", ANOTHER_USER, cluster, *ports],
            env={**environment, "HOME": "/nowhere", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},  # or it asks elsewhere
            capture_output=True,
            text=True,
            check=False,
        )
        assert actors.folder is not None
        files = [actors.folder, *actors.folder.glob("token")]
        modes = [oct(each.stat().st_mode & 0o777) for each in files]
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert modes == ["0o700", "0o600"]
    assert not {"RAY_AUTH_MODE", "MEDVISTA_TEMPORARY"} & os.environ.keys()


def held_up(program: str, seconds: float) -> None:
    """Stops the first descendant that runs `program` for so long: what a machine without time for it does."""
    while True:
        for each in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if any(word.endswith(program) for word in each.cmdline()[:3]):
                    each.suspend()
                    time.sleep(seconds)
                    each.resume()
                    return
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("by_value")
def test_a_ray_that_is_slow_to_start_is_waited_for() -> None:
    programs = ("raylet/raylet", "dashboard/agent.py", "runtime_env/agent/main.py")
    threads = [threading.Thread(target=held_up, args=(each, 45.0), daemon=True) for each in programs]
    for each in threads:
        each.start()
    with Actors(nothing, nothing, count=1, stage="rl"):
        assert not threads[0].is_alive()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("by_value")
def test_a_ray_that_ends_as_it_starts_is_not_waited_for() -> None:
    def end() -> None:
        while not (found := [each for each in psutil.Process().children() if each.name() == "raylet"]):
            time.sleep(0.01)
        found[0].kill()

    threading.Thread(target=end, daemon=True).start()
    with (
        pytest.raises(RayStartError, match="Got a raylet that ended with status -9 as it started"),
        Actors(nothing, nothing, count=1, stage="rl"),
    ):
        pass
