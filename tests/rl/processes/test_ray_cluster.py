"""The Ray that we start: on this machine alone, for us alone, waited for where it is slow, and gone when it ends."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from rl.processes.ray_cluster import own_ray
from rl.processes.ray_patches import RayStartError
from tests.sockets import beyond_loopback, listening, with_descendants

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SMALL: dict[str, Any] = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 2**28, "log_to_driver": False}
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


def test_another_user_of_this_machine_gets_nothing_and_nothing_is_left(temporary: Path) -> None:
    with own_ray(temporary, **SMALL) as library:
        assert library.get(library.remote(lambda: os.getpid()).remote()) != os.getpid()
        ours = with_descendants(os.getpid())
        sockets, reachable = listening(ours), beyond_loopback(ours)
        cluster = library.get_runtime_context().gcs_address
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        done = subprocess.run(
            [sys.executable, "-c", ANOTHER_USER, cluster, *(str(port) for _, _, port in sockets)],
            env={**environment, "HOME": "/nowhere", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},  # or it asks elsewhere
            capture_output=True,
            text=True,
            check=False,
        )
        mode = oct((temporary / "token").stat().st_mode & 0o777)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert (mode, len(sockets) > 5, reachable) == ("0o600", True, [])
    assert not {"RAY_AUTH_MODE", "MEDVISTA_TEMPORARY"} & os.environ.keys()
    left = [each for each in psutil.Process().children(recursive=True) if each.name() in ("raylet", "gcs_server")]
    assert [each for each in left if each.status() != psutil.STATUS_ZOMBIE] == []


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


def test_a_ray_that_is_slow_to_start_is_waited_for(temporary: Path) -> None:
    programs = ("raylet/raylet", "dashboard/agent.py", "runtime_env/agent/main.py")
    threads = [threading.Thread(target=held_up, args=(each, 45.0), daemon=True) for each in programs]
    for each in threads:
        each.start()
    with own_ray(temporary, **SMALL):
        assert not threads[0].is_alive()


def test_a_ray_that_ends_as_it_starts_is_not_waited_for(temporary: Path) -> None:
    def end() -> None:
        while not (found := [each for each in psutil.Process().children() if each.name() == "raylet"]):
            time.sleep(0.01)
        found[0].kill()

    threading.Thread(target=end, daemon=True).start()
    with (
        pytest.raises(RayStartError, match="Got a raylet that ended with status -9 as it started"),
        own_ray(temporary, **SMALL),
    ):
        pass
