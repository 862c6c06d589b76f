"""Where a server's key lies, who may read it, and what is said when a server wants another."""

import os
import stat
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from agent.policies.policy import PolicyError, Sampling
from agent.policies.served import ServedPolicy
from agent.serving.key import VARIABLE, authorization, keep_new_key, key_file
from agent.serving.server_command import ServerError
from agent.serving.versions import LiveVersions

URL = "http://127.0.0.1:4321"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder that everyone may write to, and no key in the environment."""
    tmp_path.chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_its_users_alone_and_found_by_the_servers_address() -> None:
    before = os.umask(0)
    try:
        file = keep_new_key(URL)
    finally:
        os.umask(before)
    assert (_mode(file), _mode(file.parent)) == (0o600, 0o700)
    key = file.read_text()
    assert len(key) >= 32
    assert authorization(URL) == authorization("http://localhost:4321/") == {"authorization": f"Bearer {key}"}
    assert authorization("http://127.0.0.1:4322") == authorization("http://192.0.2.1:4321") == {}
    assert keep_new_key(URL) == file
    assert file.read_text() != key


def test_a_folder_that_others_may_read_is_closed(temporary: Path) -> None:
    folder = key_file(URL).parent
    folder.mkdir()
    folder.chmod(0o777)
    keep_new_key(URL)
    assert _mode(folder) == 0o700


def test_a_folder_that_another_user_made_first_is_not_used(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = temporary / "theirs"
    elsewhere.mkdir()
    key_file(URL).parent.symlink_to(elsewhere)
    (elsewhere / key_file(URL).name).write_text("theirs")
    with pytest.raises(ServerError, match=r"another user's, expected ours.*TMPDIR"):
        keep_new_key(URL)
    assert authorization(URL) == {}


def test_the_key_of_a_server_that_others_started_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " theirs\n")
    assert authorization(URL) == {"authorization": "Bearer theirs"}
    ours = keep_new_key(URL).read_text()
    assert authorization(URL) == {"authorization": f"Bearer {ours}"}


class _Closed(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b'{"error": "Unauthorized"}')

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def closed_url() -> Iterator[str]:
    """The address of a server that wants a key which nobody has."""
    server = HTTPServer(("127.0.0.1", 0), _Closed)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def test_a_refusal_says_which_key_was_shown_and_where_it_is_looked_for(
    closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def said() -> str:
        async with ServedPolicy(closed_url, LiveVersions("a")) as policy:
            with pytest.raises(PolicyError, match="got HTTP 401") as caught:
                await policy.generate([1], [], Sampling())
        return str(caught.value)

    assert "it was shown no key" in await said()
    monkeypatch.setenv(VARIABLE, "a-wrong-key")
    message = await said()
    assert f"it was shown ${VARIABLE}" in message
    assert "a-wrong-key" not in message
    file = keep_new_key(closed_url)
    message = await said()
    assert f"it was shown the key in {file}" in message
    assert VARIABLE in message
    assert file.read_text() not in message
