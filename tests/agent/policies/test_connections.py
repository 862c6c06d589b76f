"""Connections that a server drops at the worst moment: when the next request is on its way. Over real sockets."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Literal

import pytest

from agent.policies.policy import Completion, PolicyError, Sampling
from agent.policies.served import ServedPolicy
from agent.serving.versions import LiveVersions

CHOICE = {"token_ids": [7], "logprobs": {"content": [{"logprob": -0.5}]}, "finish_reason": "stop"}
ANSWER: dict[str, Any] = {"choices": [CHOICE], "usage": {"prompt_tokens": 3}}
End = Literal["closed", "reset"]


class Fickle(ThreadingHTTPServer):
    """Answers the first requests of a connection; takes the next one, and drops the connection without a word."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = 1
        """So many requests of each connection are answered."""
        self.end: End = "closed"
        self.begins_to_answer = False
        """Whether half an answer is sent before a connection is dropped."""
        self.connections = self.taken = 0
        self.counting = Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Fickle
    answered = 0

    def setup(self) -> None:
        super().setup()
        with self.server.counting:
            self.server.connections += 1

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.counting:
            self.server.taken += 1
        data = json.dumps(ANSWER).encode()
        if asked.get("stream"):
            data = f"data: {json.dumps(ANSWER)}\n\ndata: [DONE]\n\n".encode()
        self.answered += 1
        drop = self.answered > self.server.answers
        if not drop or self.server.begins_to_answer:
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if drop else data)
        if drop:
            self.close_connection = True
            if self.server.end == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

    def handle(self) -> None:
        try:
            super().handle()
        except (ValueError, OSError):  # our own reset
            return

    def finish(self) -> None:
        try:
            super().finish()
        except (ValueError, OSError):
            return

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def fickle() -> Iterator[Fickle]:
    """The server, running."""
    server = Fickle()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _policy(server: Fickle) -> ServedPolicy:
    return ServedPolicy(f"http://127.0.0.1:{server.server_port}", LiveVersions("a"), timeout_s=60)


async def _ask(policy: ServedPolicy, *, by_stream: bool) -> Completion:
    if not by_stream:
        return await policy.generate([1, 2, 3], [], Sampling())
    *_, last = [item async for item in policy.stream([1, 2, 3], [], Sampling())]
    assert isinstance(last, Completion)
    return last


@pytest.mark.parametrize("end", ["closed", "reset"])
@pytest.mark.parametrize("by_stream", [False, True])
async def test_requests_lost_with_their_kept_connections_are_sent_again(
    fickle: Fickle, end: End, by_stream: bool
) -> None:
    fickle.end = end
    async with _policy(fickle) as policy:
        for _ in range(3):
            answers = await asyncio.gather(*(_ask(policy, by_stream=by_stream) for _ in range(8)))
            assert [answer.token_ids for answer in answers] == [(7,)] * 8
    assert fickle.taken > 24  # some were lost, or this shows nothing


@pytest.mark.parametrize("by_stream", [False, True])
async def test_once_a_response_has_begun_nothing_is_repeated(fickle: Fickle, by_stream: bool) -> None:
    fickle.begins_to_answer = True
    async with _policy(fickle) as policy:
        await _ask(policy, by_stream=by_stream)
        with pytest.raises(PolicyError, match="expected a running vLLM server"):
            await _ask(policy, by_stream=by_stream)
    assert fickle.taken == 2


async def test_a_server_that_loses_every_request_is_not_asked_for_ever(fickle: Fickle) -> None:
    fickle.answers = 0
    async with _policy(fickle) as policy:
        with pytest.raises(PolicyError, match="got RemoteProtocolError"):
            await _ask(policy, by_stream=False)
    assert fickle.taken == 2


async def test_an_idle_connection_is_dropped_long_before_vllm_would(fickle: Fickle) -> None:
    fickle.answers = 1000
    async with _policy(fickle) as policy:
        await _ask(policy, by_stream=False)
        await _ask(policy, by_stream=False)
        assert fickle.connections == 1
        await asyncio.sleep(3.0)  # vLLM's own 5 s are well away
        await _ask(policy, by_stream=False)
    assert fickle.connections == 2
