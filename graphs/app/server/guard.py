"""Who may speak to LangGraph's server: programs of this machine, and whom the environment names besides.

What listens on loopback is reached by every web page that a browser here shows: a page may send what an HTML form can
(a POST of text/plain, without asking first), and a name that points here for a moment makes it one origin with us. So a
request must call the server by a name of its own, must not come from a foreign page, must say that its body is JSON (an
upload: that it is a file), and must not be larger than a request is. This stands before LangGraph's routes and ours,
HTTP and WebSocket alike; langgraph.json sets no `middleware_order`, which would put it behind some of them.

| variable | names | default |
|---|---|---|
| `MEDVISTA_HOSTS` | names and addresses, with commas, by which the server may be called | those of loopback alone |
| `MEDVISTA_API_KEY` | a secret that every request must bring as `x-api-key` (`api_key` of `langgraph_sdk`) | none |

Foreign pages that may speak to it (LangGraph's Studio is one) are those of `http.cors.allow_origins` in langgraph.json.
"""

import hmac
import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOAD = "/images"
LARGEST_REQUEST = 8 * 2**20
"""Bytes of one request that is no upload: questions, notes and ids need some kilobytes."""
WITHIN = "/noauth"
"""The root path of what LangGraph asks of itself, which never was on a wire."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What a page may send anywhere without asking."""
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Admitted:
    """Whose requests are answered."""

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    key: str = ""

    @classmethod
    def of_environment(cls, variables: Mapping[str, str] = os.environ) -> "Admitted":
        """As the variables say, LangGraph's own of langgraph.json's `http` among them."""
        hosts = variables.get("MEDVISTA_HOSTS", "").lower().split(",")
        http = cast("dict[str, dict[str, list[str]]]", json.loads(variables.get("LANGGRAPH_HTTP") or "{}"))
        origins = http.get("cors", {}).get("allow_origins", ())
        named = frozenset(host.strip() for host in hosts if host.strip())
        return cls(named, frozenset(origins), variables.get("MEDVISTA_API_KEY", ""))

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason where a request of these headers is not answered."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._calls_us(host):
            return 421, f"Got the host {host[:100]!r}, expected one of loopback, or one that MEDVISTA_HOSTS names."
        own = origin in (f"http://{host}", f"https://{host}")
        foreign = origin is not None or headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if foreign and not own and not self.origins & {origin, "*"}:
            return 403, (
                f"Got a request of a page at {(origin or 'another site')[:100]}, expected one that "
                "http.cors.allow_origins in langgraph.json names."
            )
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            return None  # a browser asks first, and without the key
        if self.key and not hmac.compare_digest(headers.get("x-api-key", "").encode(), self.key.encode()):
            return 401, "Got no x-api-key, or another than MEDVISTA_API_KEY names; expected that one."
        return None if scope["type"] == "websocket" else _refused_type(headers, is_upload(scope))

    def _calls_us(self, host: str) -> bool:
        name = (found[1] or found[2]).lower() if (found := _HOST.fullmatch(host)) else ""
        if name == "localhost" or name in self.hosts:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


class Guard:
    """ASGI middleware that answers what may not be asked, and hands on what may."""

    def __init__(self, app: ASGIApp, admitted: Admitted) -> None:
        self.app = app
        self.admitted = admitted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] not in ("http", "websocket") or scope.get("root_path", "").startswith(WITHIN):
            await self.app(scope, receive, send)
            return
        refusal = self.admitted.refusal(scope)
        if refusal is None and scope["type"] == "http" and not is_upload(scope):
            body = await _whole(receive)
            if body is not None:
                await self.app(scope, _again(body, receive), send)
                return
            refusal = 413, f"Got more than {LARGEST_REQUEST} bytes, expected a request of JSON; images go to {UPLOAD}."
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1][:120]})
        else:
            status, why = refusal
            await JSONResponse({"detail": why}, status, {"connection": "close"})(scope, receive, send)


def is_upload(scope: Scope) -> bool:
    """Whether a request hands over an image, whose size its own route bounds."""
    return scope["method"] == "POST" and scope["path"] == scope.get("root_path", "") + UPLOAD


def _refused_type(headers: Headers, upload: bool) -> tuple[int, str] | None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    if upload and (kind in FORMS or not kind.startswith(("image/", "application/"))):
        expected = "expected that of a file: image/png, application/dicom, application/octet-stream ..."
    elif not upload and has_body and kind != "application/json":
        expected = "expected application/json."
    else:
        return None
    return 415, f"Got the content type {kind[:100]!r}, {expected}"


async def _whole(receive: Receive) -> list[Message] | None:
    """A request's messages up to its end, or None where they are too large."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > LARGEST_REQUEST:
            return None
        if not message.get("more_body", False):
            return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    """What gives the messages that were received, then those that come."""
    waiting = iter(messages)

    async def give() -> Message:
        return next(waiting, None) or await receive()

    return give
