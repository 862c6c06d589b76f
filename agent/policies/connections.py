"""HTTP connections to a vLLM server: kept while they are sure to be alive, and replaced where one was not.

A server closes a connection that was idle for a while: vLLM after 5 s, unless told otherwise. A request that is sent at
that very moment is lost: nothing of a response arrives. So idle connections are dropped here well before, and a request
that was lost is sent once more, over a connection of its own. That is safe: sampling changes nothing in the server, and
a second sample is as good as the first, which nobody has seen; should the server have begun on it, it gives it up with
its connection. Once a response has begun, nothing is repeated.
"""

from __future__ import annotations

import httpx

from agent.serving.key import authorization

KEEP_ALIVE_S = 2.0
"""An idle connection is kept so long here: clearly less than the 5 s of a vLLM that others started."""
LOST = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
"""What a request meets whose connection is closed: by a reset, while it is written, or in good order."""


def open_client(base_url: str, timeout_s: float, concurrency: int) -> httpx.AsyncClient:
    """A client for one server, which shows it its key; for one event loop, at most `concurrency` requests at a time."""
    return httpx.AsyncClient(
        base_url=base_url,
        headers=authorization(base_url),
        timeout=httpx.Timeout(timeout_s, connect=10.0),
        transport=_OnceMore(base_url, concurrency),
        trust_env=False,  # loopback must never go through a proxy of the environment
    )


class _OnceMore(httpx.AsyncBaseTransport):
    """Sends a request again, over a new connection, where its own was lost before a response began."""

    def __init__(self, base_url: str, concurrency: int) -> None:
        def transport(kept: int) -> httpx.AsyncHTTPTransport:
            limits = httpx.Limits(
                max_connections=concurrency, max_keepalive_connections=kept, keepalive_expiry=KEEP_ALIVE_S
            )
            verify = base_url.startswith("https:")  # reading the certificates takes 20 ms
            return httpx.AsyncHTTPTransport(limits=limits, trust_env=False, verify=verify)

        self._kept, self._new = transport(concurrency), transport(0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Returns when the response's head has arrived; its body is read by whoever reads the response."""
        try:
            return await self._kept.handle_async_request(request)
        except LOST:
            return await self._new.handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._kept.aclose()
        await self._new.aclose()
