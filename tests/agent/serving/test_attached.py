"""A server that another process started: what is read from its record, what is written there, and who may attach.

tests/graphs/app/test_live.py swaps a real one.
"""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from agent.serving.attached import attached
from agent.serving.checkpoint import Checkpoint, publish
from agent.serving.server_command import ServerError
from agent.serving.server_record import ServerRecord, read_record, started, write_record
from agent.serving.versions import RecordedVersions


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_swap_is_written_where_every_process_reads_it(tmp_path: Path, tiny_folders: dict[str, Path]) -> None:
    a, b = (publish(tiny_folders[name], tmp_path / "versions", name, None, {}) for name in ("a", "b"))
    server = HTTPServer(("127.0.0.1", 0), Health)
    Thread(target=server.serve_forever, daemon=True).start()
    path = tmp_path / "server.json"
    since = started(os.getpid())
    assert since is not None
    record = ServerRecord(
        pid=os.getpid(),
        pid_started=since,
        host="127.0.0.1",
        port=server.server_port,
        checkpoint=str(a.folder),
        versions=("0", "a"),
        started="2026-01-01T00:00:00+00:00",
        log="server.log",
    )
    write_record(path, record)
    elsewhere = RecordedVersions(path)
    opened: list[Path] = []

    def open_folder(folder: Path) -> Checkpoint:
        opened.append(folder)
        return a

    with attached(path, open_folder) as held:
        assert (held.checkpoint, held.base_url, opened) == (a, record.base_url, [a.folder])
        with pytest.raises(ServerError, match="in another process's swap"), attached(path, open_folder):
            pass
        held.went_live(b)
    assert elsewhere.history() == ("0", "a", "b")
    assert read_record(path) == record.model_copy(update={"checkpoint": str(b.folder), "versions": ("0", "a", "b")})
    server.shutdown()
    server.server_close()
    with pytest.raises(ServerError, match="got no running server"), attached(path, open_folder):
        pass
