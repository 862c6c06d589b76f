"""What ServedPolicy sends, and what it makes of right and wrong answers, over real HTTP.

The answers come from a small server in vLLM's place; tests/agent/serving/test_live_server.py has the real one.
"""

import base64
import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from PIL import Image

from agent.policies.image_urls import ImageURLs
from agent.policies.policy import Completion, PolicyError, Sampling
from agent.policies.served import ContextFull, ServedPolicy
from agent.serving.versions import AskedVersions

RIGHT: dict[str, Any] = {
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "token_ids": [7, 2],
            "logprobs": {"content": [{"token": "token_id:7", "logprob": -0.5}, {"token": "token_id:2", "logprob": -1}]},
        }
    ],
    "usage": {"prompt_tokens": 23, "completion_tokens": 2},
}


class Versions:
    """A history that grows while a request is under way."""

    def __init__(self, *versions: str) -> None:
        self.versions = list(versions)

    def history(self) -> tuple[str, ...]:
        return tuple(self.versions)


class Canned(ThreadingHTTPServer):
    """Answers every request alike and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.answer: Any = RIGHT
        self.asked: list[dict[str, Any]] = []
        self.connections: set[tuple[str, int]] = set()
        self.versions = Versions("a")
        self.swaps: list[str] = []
        self.weights: dict[str, str] | None = None
        """What `/weight_info` says; None: there is no such endpoint."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Canned

    def do_GET(self) -> None:
        data = json.dumps(self.server.weights).encode()
        self.send_response(200 if self.path == "/weight_info" and self.server.weights else 404)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append({"path": self.path, **body})
        self.server.connections.add(self.client_address)
        self.server.versions.versions += self.server.swaps
        if self.server.weights and self.server.swaps:
            self.server.weights = {"weight_version": self.server.swaps[-1]}
        answer = self.server.answer
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def canned() -> Iterator[Canned]:
    """A server whose answer the test chooses."""
    server = Canned()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


async def _ask(canned: Canned, sampling: Sampling | None = None, images: int = 0) -> Completion:
    picture = Image.new("L", (3, 2), 9)
    async with ServedPolicy(canned.url, canned.versions, timeout_s=2) as policy:
        return await policy.generate([1, 5, 2], [picture] * images, sampling or Sampling())


async def test_request_and_completion(canned: Canned) -> None:
    completion = await _ask(canned, Sampling(0.7, 0.9, 64, 3, (5, 6), 0.02), images=2)
    assert completion == Completion((7, 2), (-0.5, -1.0), "stop", ("a",), 23)
    (asked,) = canned.asked
    urls = [part["url"] for part in asked.pop("content_parts")]
    assert asked == {
        "path": "/inference/v1/generate",
        "model": "policy",
        "token_ids": [1, 5, 2],
        "sampling_params": {
            "temperature": 0.7,
            "top_p": 0.9,
            "min_p": 0.02,
            "top_k": 0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "min_tokens": 0,
            "max_tokens": 64,
            "seed": 3,
            "logprobs": 0,
            "detokenize": False,
            "logit_bias": {"5": -100.0, "6": -100.0},
        },
    }
    assert len(urls) == 2
    sent = Image.open(io.BytesIO(base64.b64decode(urls[0].removeprefix("data:image/bmp;base64,"))))
    assert (sent.size, sent.mode, sent.tobytes()) == ((3, 2), "L", bytes([9] * 6))


async def test_a_text_prompt_has_no_content_parts(canned: Canned) -> None:
    await _ask(canned)
    assert set(canned.asked[0]) == {"path", "model", "token_ids", "sampling_params"}


@pytest.mark.parametrize(
    ("swaps", "stamped"), [([], ("b",)), (["c"], ("b", "c")), (["c", "d"], ("b", "c", "d")), (["c", "b"], ("b", "c"))]
)
async def test_all_versions_live_during_the_request_are_stamped(
    canned: Canned, swaps: list[str], stamped: tuple[str, ...]
) -> None:
    canned.versions = Versions("a", "b")
    canned.swaps = swaps
    assert (await _ask(canned)).versions == stamped


def _with(**changes: Any) -> dict[str, Any]:
    return {**RIGHT, "choices": [{**RIGHT["choices"][0], **changes}]}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"usage": {"prompt_tokens": 1}}, r"lacks choices \(Field required\)"),
        ({"choices": RIGHT["choices"]}, "lacks usage"),
        (_with(token_ids=None), r"lacks choices\.0\.token_ids"),
        (_with(logprobs=None), r"lacks choices\.0\.logprobs"),
        (_with(token_ids=[7, 2, 2]), "got 2 log-probabilities for 3 sampled ids"),
        (_with(logprobs={"content": [{"logprob": -9999.0}, {"logprob": -1.0}]}), "got 1 log-probabilities for 2"),
        (_with(finish_reason="abort"), "got finish reason 'abort'"),
        ({**RIGHT, "choices": RIGHT["choices"] * 2}, "got 2 choices"),
        (b"<html>", "lacks"),
    ],
)
async def test_malformed_answers_are_refused(canned: Canned, answer: Any, reason: str) -> None:
    canned.answer = answer
    with pytest.raises(PolicyError, match=reason):
        await _ask(canned)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ([], r"lacks choices\.0\.finish_reason"),
        (["[DONE]"], "got finish reason 'abort'"),  # vLLM 0.29 leaves out a last event that brings no ids
        ([json.dumps({"error": "gone"}), "[DONE]"], "got an error in the stream, expected sampled ids: gone"),
    ],
)
async def test_a_stream_that_names_no_reason_for_its_end(canned: Canned, end: list[str], reason: str) -> None:
    begun = {"choices": [{"token_ids": [7], "logprobs": {"content": [{"logprob": -0.5}]}}]}
    events = [json.dumps(begun), json.dumps({"choices": [], "usage": {"prompt_tokens": 23}}), *end]
    canned.answer = "".join(f"data: {event}\n\n" for event in events).encode()
    got: list[object] = []
    async with ServedPolicy(canned.url, canned.versions) as policy:
        with pytest.raises(PolicyError, match=reason):
            got += [part async for part in policy.stream([1, 5, 3], [], Sampling())]


async def test_a_banned_id_is_never_accepted(canned: Canned) -> None:
    with pytest.raises(PolicyError, match=r"got banned ids \[7\]"):
        await _ask(canned, Sampling(banned=(7,)))


async def test_the_servers_own_message_is_kept(canned: Canned) -> None:
    canned.status, canned.answer = 400, {"error": {"message": "Token id 999 is out of vocabulary", "code": 400}}
    with pytest.raises(PolicyError, match=r"got HTTP 400 from .*: Token id 999 is out of vocabulary") as caught:
        await _ask(canned)
    assert not isinstance(caught.value, ContextFull)
    canned.status, canned.answer = 502, b"Bad gateway"
    with pytest.raises(PolicyError, match=r"got HTTP 502 .*: Bad gateway"):
        await _ask(canned)


async def test_a_full_context_has_its_own_error(canned: Canned) -> None:
    message = "The decoder prompt (length 3000) is longer than the maximum model length of 2048."
    canned.status, canned.answer = 400, {"error": {"message": message}}
    with pytest.raises(ContextFull, match=r"3 ids before expansion .* maximum model length of 2048"):
        await _ask(canned)


async def test_a_server_that_is_gone(canned: Canned) -> None:
    canned.server_close()
    canned.shutdown()
    with pytest.raises(PolicyError, match=r"got ConnectError .* expected a running vLLM server"):
        await _ask(canned)


async def test_connections_are_kept(canned: Canned) -> None:
    async with ServedPolicy(canned.url, canned.versions) as policy:
        for _ in range(5):
            await policy.generate([1], [], Sampling())
    assert len(canned.connections) == 1


def test_a_picture_is_encoded_once_and_again_when_its_pixels_change() -> None:
    urls, picture = ImageURLs(), Image.new("RGB", (4, 4), (1, 2, 3))
    first = urls.of(picture)
    assert urls.of(picture.copy()) is first
    picture.putpixel((0, 0), (9, 9, 9))
    assert urls.of(picture) != first


def test_the_store_of_urls_is_bounded() -> None:
    pictures = [Image.new("L", (8, 8), shade) for shade in (10, 20, 30)]
    length = len(ImageURLs().of(pictures[0]))
    urls = ImageURLs(capacity=2 * length)
    first = urls.of(pictures[0])
    urls.of(pictures[1])
    urls.of(pictures[0])  # used again, so the second is the oldest
    urls.of(pictures[2])
    assert urls.of(pictures[0]) is first


@pytest.mark.parametrize("mode", ["I;16", "RGBA", "P", "F"])
def test_a_picture_whose_pixels_would_change_is_refused(mode: str) -> None:
    with pytest.raises(PolicyError, match=f"got an image of mode '{mode}'"):
        ImageURLs().of(Image.new(mode, (4, 4)))


async def test_a_server_that_others_swap_is_asked_for_its_version(canned: Canned) -> None:
    """Only its address is known here: the version that it names before and after a completion is what is stamped."""
    async with ServedPolicy(canned.url, AskedVersions("a")) as policy:
        assert (await policy.generate([1], [], Sampling())).versions == ("a",)  # it knows no such endpoint
        canned.weights = {"weight_version": "default"}
        assert (await policy.generate([1], [], Sampling())).versions == ("a",)  # nobody has named its weights
        canned.swaps = ["b"]
        assert (await policy.generate([1], [], Sampling())).versions == ("a", "b")  # swapped in the middle
        assert policy.version == "b"
        assert (await policy.generate([1], [], Sampling())).versions == ("b",)
    with pytest.raises(PolicyError, match="expected a running vLLM server"):
        await ServedPolicy("http://127.0.0.1:9", AskedVersions("a")).generate([1], [], Sampling())
