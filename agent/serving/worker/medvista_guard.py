"""Who may use the API server: whoever shows its key (`--middleware`, the outermost; standard library only).

vLLM's own `--api-key` guards /v1, /v2, /inference and /cohere, and no other path. But the development endpoints, which
a hot swap needs, pause the server, load any folder and call any method of a worker. So every path asks for the key
here, health, metrics, preflights and WebSockets included. Two more rules keep out what a browser could be made to send:

- The Host header names this machine. A web page can have its own name resolved to 127.0.0.1 ("DNS rebinding"); its
  requests then are of one origin with us, and their Host still is the page's.
- A body is JSON: text and forms are what a page may send to another origin without asking first.
"""

import hmac
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

KEY_FILE, HOST = "MEDVISTA_KEY_FILE", "MEDVISTA_SERVER_HOST"
"""Environment variables: the path of the file with the key; the address or name that the server listens on."""


class Guard:
    """ASGI middleware. Raises KeyError or FileNotFoundError at the start: a server without a key is not opened."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._shown = b"Bearer " + Path(os.environ[KEY_FILE]).read_bytes()
        self._hosts = {"localhost", "127.0.0.1", "::1", os.environ[HOST].lower()}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass on what may pass; answer the rest."""
        reason = None if scope["type"] == "lifespan" else self._objection(scope)
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _refuse(send, *reason)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _objection(self, scope: Message) -> tuple[HTTPStatus, str] | None:
        """Why the request may not pass; None if it may."""
        hosts = [_without_port(value) for value in _values(scope, b"host")]
        reached = str((scope.get("server") or ("",))[0])  # an address, where a page's Host is a name
        if len(hosts) != 1 or hosts[0] not in {*self._hosts, reached}:
            return HTTPStatus.MISDIRECTED_REQUEST, f"got the Host {hosts}, expected the name of this server"
        shown = _values(scope, b"authorization")
        if len(shown) != 1 or not hmac.compare_digest(shown[0], self._shown):
            return HTTPStatus.UNAUTHORIZED, "got no key or a wrong one, expected 'Authorization: Bearer KEY'"
        kinds = [value.decode("latin-1").partition(";")[0].strip().lower() for value in _values(scope, b"content-type")]
        if _has_body(scope) and kinds != ["application/json"]:
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"got a body of type {kinds}, expected application/json"
        return None


def _values(scope: Message, name: bytes) -> list[bytes]:
    return [value for each, value in scope["headers"] if each == name]


def _has_body(scope: Message) -> bool:
    return bool(_values(scope, b"transfer-encoding")) or any(
        length.strip() != b"0" for length in _values(scope, b"content-length")
    )


def _without_port(host: bytes) -> str:
    text = host.decode("latin-1").strip().lower()
    return text.partition("]")[0].removeprefix("[") if text.startswith("[") else text.partition(":")[0]


async def _refuse(send: Send, status: HTTPStatus, message: str) -> None:
    """In the form of vLLM's own errors, so that a client reads it as one of them."""
    body = json.dumps({"error": {"message": message, "type": status.phrase, "code": status.value}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status is HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
