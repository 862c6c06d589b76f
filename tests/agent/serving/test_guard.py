"""What the guard before vLLM lets pass. tests/agent/serving/test_live_server.py has it before the real one."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.serving.worker.medvista_guard import Guard, Message

KEY = (b"authorization", b"Bearer s3cret")
HOST = (b"host", b"127.0.0.1:8000")
JSON = (b"content-type", b"application/json")


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on all addresses of a machine called gpu1."""
    (tmp_path / "key").write_text("s3cret")
    monkeypatch.setenv("MEDVISTA_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("MEDVISTA_SERVER_HOST", "GPU1.lan")


async def _passes(*headers: tuple[bytes, bytes], **scope: Any) -> tuple[bool, list[Message]]:
    """Whether a request reaches the application, and what the guard answers if not."""
    reached: list[Message] = []
    sent: list[Message] = []

    async def app(scope: Message, receive: object, send: object) -> None:
        reached.append(scope)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    whole = {"type": "http", "method": "POST", "path": "/", "server": ("192.0.2.7", 8000), "headers": list(headers)}
    await Guard(app)({**whole, **scope}, receive, send)
    return bool(reached), sent


async def _status(*headers: tuple[bytes, bytes], **scope: Any) -> int | None:
    passed, sent = await _passes(*headers, **scope)
    return None if passed else sent[0]["status"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "127.0.0.1", "localhost:9", "LOCALHOST", "[::1]:8000", "gpu1.lan:8000", "192.0.2.7:8000"]
)
async def test_a_request_to_this_machine_with_the_key_passes(host: str) -> None:
    assert await _status((b"host", host.encode()), KEY) is None
    assert await _status((b"host", host.encode())) == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "192.0.2.8", "", "a@localhost"],
)
async def test_another_host_does_not_pass_though_it_has_the_key(host: str) -> None:
    assert await _status((b"host", host.encode()), KEY) == 421
    assert await _status(KEY) == 421
    assert await _status(HOST, (b"host", b"evil.example"), KEY) == 421


@pytest.mark.parametrize(
    "shown", [b"", b"Bearer", b"Bearer ", b"Bearer s3cre", b"Bearer s3cret2", b"Basic s3cret", b"\xff"]
)
async def test_a_wrong_key_does_not_pass(shown: bytes) -> None:
    passed, sent = await _passes(HOST, (b"authorization", shown))
    assert (passed, sent[0]["status"]) == (False, 401)
    assert "expected 'Authorization: Bearer KEY'" in json.loads(sent[1]["body"])["error"]["message"]
    assert await _status(HOST, KEY, (b"authorization", shown)) == 401


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (b"application/json", None),
        (b"Application/JSON; charset=utf-8", None),
        (b"text/plain", 415),
        (b"text/plain; application/json", 415),
        (b"multipart/form-data; boundary=x", 415),
        (None, 415),
    ],
)
async def test_a_body_is_json(kind: bytes | None, status: int | None) -> None:
    kinds = [] if kind is None else [(b"content-type", kind)]
    assert await _status(HOST, KEY, (b"content-length", b"2"), *kinds) == status
    assert await _status(HOST, KEY, (b"transfer-encoding", b"chunked"), *kinds) == status
    assert await _status(HOST, KEY, (b"content-length", b"0"), *kinds) is None


async def test_a_preflight_gets_no_leave() -> None:
    asked = ((b"origin", b"http://evil.example"), (b"access-control-request-method", b"POST"))
    passed, sent = await _passes(HOST, *asked, method="OPTIONS")
    assert (passed, sent[0]["status"]) == (False, 401)
    assert [name for name, _ in sent[0]["headers"] if name.startswith(b"access-control")] == []


async def test_a_websocket_needs_the_key_too() -> None:
    assert await _passes(HOST, KEY, type="websocket") == (True, [])
    assert await _passes(HOST, type="websocket") == (False, [{"type": "websocket.close", "code": 1008}])


async def test_the_start_of_the_server_passes() -> None:
    assert await _passes(type="lifespan") == (True, [])


def test_no_key_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDVISTA_KEY_FILE")
    with pytest.raises(KeyError, match="MEDVISTA_KEY_FILE"):
        Guard(lambda *_: None)  # pyright: ignore[reportArgumentType]
