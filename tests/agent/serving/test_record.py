"""A record is believed only while its very process lives and its server is well."""

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from agent.serving.record import ServerRecord, find_server, read_record, write_record
from agent.serving.versions import LiveVersions, RecordedVersions


class _Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
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


def _record(port: int) -> ServerRecord:
    return ServerRecord(
        pid=os.getpid(),
        pid_started=psutil.Process().create_time(),
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
    write_record(path, _record(healthy_port).model_copy(update={"pid_started": 1.0}))  # the id was given away since
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
