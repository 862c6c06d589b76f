"""No way of dying leaves a process behind: shown with a small stubborn program in the server's place."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from agent.serving import watchdog

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
FAST = "import agent.serving.watchdog as w; w.GRACE_S = 0.5; w.METRICS_S = 0.1; raise SystemExit(w.main())"


def _plan(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    (tmp_path / "own").mkdir()
    plan = {
        "command": [sys.executable, "-c", STUBBORN],
        "parent": os.getpid(),
        "idle_s": None,
        "metrics": "",
        "temporary": str(tmp_path / "own"),
        "record": str(tmp_path / "server.json"),
    }
    return {**plan, **changes}


def _start(plan: dict[str, Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", FAST, json.dumps(plan)], stdout=subprocess.PIPE, start_new_session=True
    )


def _group(leader: int) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _group_of(process.pid) == leader]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_told_to_stop_it_ends_the_whole_group_and_tidies_up(tmp_path: Path) -> None:
    dog = _start(_plan(tmp_path))
    (tmp_path / "server.json").write_text(json.dumps({"pid": dog.pid}))
    _wait_for(lambda: len(_group(dog.pid)) == 3)
    group = _group(dog.pid)
    dog.send_signal(signal.SIGTERM)
    dog.communicate(timeout=30)
    assert _living(group) == []
    assert list(tmp_path.iterdir()) == []


def test_the_record_of_another_server_stays(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(json.dumps({"pid": 1}))
    dog = _start(_plan(tmp_path, command=[sys.executable, "-c", "raise SystemExit(3)"]))
    dog.communicate(timeout=30)
    assert dog.returncode == 3
    assert [path.name for path in tmp_path.iterdir()] == ["server.json"]


def test_a_parent_killed_with_9_takes_it_along(tmp_path: Path) -> None:
    parent = f"""
import json, subprocess, sys, os, time
plan = json.loads({json.dumps(json.dumps(_plan(tmp_path)))})
plan["parent"] = os.getpid()
dog = subprocess.Popen([sys.executable, "-c", {FAST!r}, json.dumps(plan)], start_new_session=True)
print(dog.pid, flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert process.stdout is not None
    leader = int(process.stdout.readline())
    _wait_for(lambda: len(_group(leader)) == 3)
    group = _group(leader)
    process.kill()
    process.communicate()
    _wait_for(lambda: _living(group) == [])
    assert not (tmp_path / "own").exists()


class _Metrics(BaseHTTPRequestHandler):
    finished = 0.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        label = '{finished_reason="stop"}'
        self.wfile.write(f"vllm:request_success_total{label} {type(self).finished}\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def metrics_url() -> Iterator[str]:
    """A server of vLLM's metrics."""
    server = HTTPServer(("127.0.0.1", 0), _Metrics)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()


def test_a_server_that_outlives_its_parent_ends_when_idle(tmp_path: Path, metrics_url: str) -> None:
    dog = _start(_plan(tmp_path, parent=None, idle_s=1.5, metrics=metrics_url))
    _wait_for(lambda: len(_group(dog.pid)) == 3)
    group = _group(dog.pid)
    busy_until = time.monotonic() + 3
    while time.monotonic() < busy_until:
        _Metrics.finished += 1
        time.sleep(0.2)
    assert len(_living(group)) == 3
    _wait_for(lambda: dog.poll() is not None)
    assert _living(group) == []


def test_metrics_are_summed_over_their_labels() -> None:
    text = '# HELP a b\na{x="1"} 2.0\na{x="2"} 3.5\nab 7\na 1\n'
    assert watchdog.total(text, "a") == 6.5


def test_metrics_are_asked_for_with_the_key_and_never_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str | None] = []

    class Guarded(_Metrics):
        def do_GET(self) -> None:
            shown.append(self.headers["authorization"])
            super().do_GET()

    server = HTTPServer(("127.0.0.1", 0), Guarded)
    Thread(target=server.serve_forever, daemon=True).start()
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr(watchdog, "METRICS_S", 0.0)
    idle = watchdog.Idleness(f"http://127.0.0.1:{server.server_port}/metrics", "s3cret")
    idle.seconds()
    server.shutdown()
    server.server_close()
    assert shown == ["Bearer s3cret"]


def test_the_key_is_gone_when_the_server_is(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret")
    dog = _start(_plan(tmp_path, command=[sys.executable, "-c", "pass"], key=str(tmp_path / "key")))
    dog.communicate(timeout=30)
    assert not (tmp_path / "key").exists()


FAR = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""
"""Neither it nor its child, which is in a session of its own, ends when told to."""
OWNER = """
import json, os, subprocess, sys, time
plan = json.loads(sys.argv[1])
plan["parent"] = os.getpid()
dog = subprocess.Popen([sys.executable, "-c", sys.argv[2], json.dumps(plan)], start_new_session=True)
print(dog.pid, flush=True)
time.sleep(600)
"""


class Owned:
    """A program that does not end, its watchdog, and the owner of both, which can all be killed."""

    def __init__(self, where: Path, command: str = FAR) -> None:
        self.temporary = Path(tempfile.mkdtemp(prefix="mv-", dir=where))
        pids = where / f"{self.temporary.name}.pids"
        plan = {
            "command": [sys.executable, "-c", command, str(pids)],
            "idle_s": None,
            "metrics": "",
            "temporary": str(self.temporary),
            "record": None,
        }
        self.owner = subprocess.Popen([sys.executable, "-c", OWNER, json.dumps(plan), FAST], stdout=subprocess.PIPE)
        assert self.owner.stdout is not None
        self.dog = psutil.Process(int(self.owner.stdout.readline()))
        self.owner.stdout.close()
        _wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        self.programs = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
        self.successors = [each for each in self.dog.children() if each not in self.programs]

    def kill(self, *more: psutil.Process) -> None:
        """Kill -9 the owner and its watchdog at once, and `more`."""
        for pid in (self.owner.pid, self.dog.pid, *(each.pid for each in more)):
            os.kill(pid, signal.SIGKILL)
        self.owner.wait()

    def is_gone(self) -> bool:
        """Nothing of it is left."""
        return not _living(self.programs) and not self.temporary.exists()

    def end(self) -> None:
        """Ends what a failed test left."""
        for each in (*self.programs, self.dog, *self.successors):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        self.owner.kill()
        self.owner.wait()


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Callable[[], Owned]]:
    """Starts programs that are owned, with temporary folders side by side."""
    started: list[Owned] = []

    def start() -> Owned:
        started.append(Owned(tmp_path))
        return started[-1]

    yield start
    for each in started:
        each.end()


def test_an_owner_and_a_watchdog_killed_with_9_leave_nothing(owned: Callable[[], Owned]) -> None:
    killed = owned()
    killed.kill()
    _wait_for(killed.is_gone)


def test_what_is_left_when_all_is_killed_is_cleared_by_the_next_and_what_lives_is_not(
    owned: Callable[[], Owned],
) -> None:
    living, killed = owned(), owned()
    killed.kill(*killed.successors)
    assert len(_living(killed.programs)) == 2
    following = owned()
    _wait_for(killed.is_gone)
    for each in (living, following):
        assert len(_living(each.programs)) == 2 and each.temporary.exists()


def test_the_shared_memory_of_a_killed_program_does_not_stay(tmp_path: Path) -> None:
    code = """
import os, sys, time
from multiprocessing.shared_memory import SharedMemory
memory = SharedMemory(create=True, size=4096)
print(memory.name, flush=True)
time.sleep(600)
"""
    plan = _plan(tmp_path, command=[sys.executable, "-c", code], record=None)
    folder = Path(watchdog.__file__).parent / "confined"
    dog = subprocess.Popen(
        [sys.executable, "-c", FAST, json.dumps(plan)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert dog.stdout is not None
    name = dog.stdout.readline().decode().strip()
    segment = Path("/dev/shm", name)
    try:
        assert segment.exists()
        os.killpg(dog.pid, signal.SIGKILL)  # Python's own resource tracker, which would remove it, among them
        dog.communicate()
        _wait_for(lambda: not segment.exists())
    finally:
        segment.unlink(missing_ok=True)
