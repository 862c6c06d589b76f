"""A record is believed only while its very process lives and its server is well."""

import os
import stat
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from agent.serving.server import stop_recorded
from agent.serving.server_command import ServerError
from agent.serving.server_record import ServerRecord, find_server, is_alive, read_record, started, write_record
from agent.serving.versions import LiveVersions, RecordedVersions


class _Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(type(self).status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def healthy_port() -> Iterator[int]:
    """The port of something that says it is well."""
    server = HTTPServer(("127.0.0.1", 0), _Health)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def _record(port: int, pid: int | None = None) -> ServerRecord:
    pid = pid or os.getpid()
    since = started(pid)
    assert since is not None
    return ServerRecord(
        pid=pid,
        pid_started=since,
        host="127.0.0.1",
        port=port,
        checkpoint="versions/a",
        versions=("a",),
        started="2026-01-01T00:00:00+00:00",
        log="server.log",
    )


def test_a_healthy_server_is_found(tmp_path: Path, healthy_port: int) -> None:
    record = _record(healthy_port)
    write_record(tmp_path / "state" / "server.json", record)
    assert find_server(tmp_path / "state" / "server.json") == record
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["server.json"]


def test_nothing_else_is_found(tmp_path: Path, healthy_port: int) -> None:
    path = tmp_path / "server.json"
    assert find_server(path) is None
    path.write_text('{"pid": 1')
    assert find_server(path) is None
    assert read_record(path) is None
    child = subprocess.Popen(["sleep", "600"])
    later = _record(healthy_port, child.pid).pid_started
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert started(child.pid) is None  # it has ended, and nobody has asked for its status yet
    child.wait()
    assert started(child.pid) is None
    write_record(path, _record(healthy_port).model_copy(update={"pid_started": later}))  # the id was given away since
    assert find_server(path) is None
    write_record(path, _record(9))  # nothing listens there
    assert find_server(path) is None


def test_versions_are_read_again_when_the_record_changes(tmp_path: Path) -> None:
    path, record = tmp_path / "server.json", _record(1)
    write_record(path, record)
    versions = RecordedVersions(path)
    assert versions.history() == ("a",)
    write_record(path, record.model_copy(update={"versions": ("a", "b")}))
    assert versions.history() == ("a", "b")
    path.unlink()
    assert versions.history() == ("a", "b")


def test_live_versions_keep_their_history() -> None:
    versions = LiveVersions("a")
    versions.switch("b")
    versions.switch("a")
    assert (versions.live, versions.history()) == ("a", ("a", "b", "a"))


def test_a_record_is_its_users_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_record(tmp_path / "state" / "server.json", _record(1))
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state", tmp_path / "state" / "server.json")]
    assert modes == [0o700, 0o600]


def test_a_server_that_refuses_our_key_is_not_lost_sight_of(
    tmp_path: Path, healthy_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Health, "status", 401)
    write_record(tmp_path / "server.json", _record(healthy_port))
    with pytest.raises(ServerError, match=rf"got HTTP 401 .* it was shown no key; .*`kill {os.getpid()}`"):
        find_server(tmp_path / "server.json")


def _step_the_clock(seconds: float, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a step of the clock: the machine is said to have started at another time; its processes are the same."""
    folder.mkdir()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            (folder / entry.name).symlink_to(entry)
    text = Path("/proc/stat").read_text()
    (booted,) = [line for line in text.splitlines() if line.startswith("btime ")]
    (folder / "stat").write_text(text.replace(booted, f"btime {float(booted.split()[1]) + seconds:.0f}"))
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(folder))


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_step_of_the_clock_leaves_a_server_alive_and_stoppable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    server = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        record = _record(1, server.pid)
        before = psutil.Process(server.pid).create_time()
        _step_the_clock(seconds, tmp_path / "proc", monkeypatch)
        assert abs(psutil.Process(server.pid).create_time() - before - seconds) < 1.0
        assert is_alive(record)
        stop_recorded(record)
        assert not is_alive(record)
    finally:
        server.kill()
        server.wait()
