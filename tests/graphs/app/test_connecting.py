"""Who starts, shares and replaces the server, among real processes; in place of vLLM a web server that is only healthy.

tests/graphs/app/test_connection.py does the same with vLLM, where it answers.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.serving.checkpoint import publish
from graphs.app import connection

ROOT = Path(__file__).parents[3]
PROGRAM = """
import subprocess, sys, threading, time
from pathlib import Path
from agent.serving.server_command import ServerError
from agent.serving.server import VLLMServer, free_port
from graphs.app import connection


class Healthy(VLLMServer):
    def start(self):
        print("started", self.checkpoint.version, file=sys.stderr, flush=True)
        time.sleep(1)
        Path("www").mkdir(exist_ok=True)
        Path("www/health").touch()
        port = free_port("127.0.0.1")
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", "www"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base_url, self._started = f"http://127.0.0.1:{port}", "2026-01-01T00:00:00+00:00"
        while not self.is_healthy():
            time.sleep(0.1)
        self.write_record()
        return self


connection.VLLMServer = Healthy
found = []


def look(folder):
    try:
        found.append(connection.connect(folder, None, 1024))
    except ServerError as error:
        print("refused:", error)


threads = [threading.Thread(target=look, args=[Path(name) if name else None]) for name in sys.argv[1:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*sorted({f"{each.policy.base_url} {each.policy.version} {each.folder.name}" for each in found}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(random_checkpoint: Path, tmp_path: Path) -> Iterator[Path]:
    """A working directory where version `first` is published."""
    publish(random_checkpoint, tmp_path / "runs" / "a" / "checkpoints", "first", None, {})
    yield tmp_path
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        record = connection.read_record(connection.RECORD)
        if record is not None and connection.is_alive(record):
            os.kill(record.pid, 9)


def looking(place: Path, *folders: str) -> subprocess.Popen[str]:
    """A process that connects once for each folder, at once, and is a user until its stdin ends."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("MEDVISTA_CHECKPOINT", None)
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *folders], cwd=place, env=environment, text=True, **pipes)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_all_that_look_at_once_get_one_server(place: Path) -> None:
    """Two processes of two threads."""
    processes = [looking(place, "", "") for _ in range(2)]
    told = [line(process) for process in processes]
    said = "".join(process.communicate("")[1] for process in processes)
    assert said.count("started first") == 1, said
    assert told[0] == told[1]
    assert told[0].endswith(" first first")
    assert told[0].count("http://") == 1


def test_a_newer_version_does_not_end_the_server_that_others_use(place: Path, random_checkpoint: Path) -> None:
    user = looking(place, "")
    runs = line(user)
    newer = publish(random_checkpoint, place / "runs" / "a" / "checkpoints", "second", "first", {})
    for named, expected in (("", runs), (str(newer.folder), "refused: got the checkpoint")):
        other = looking(place, named)
        assert line(other).startswith(expected)
        assert "started" not in other.communicate("")[1]
    user.communicate("")
    alone = looking(place, str(newer.folder))
    assert line(alone).endswith(" second second")
    assert "started second" in alone.communicate("")[1]
