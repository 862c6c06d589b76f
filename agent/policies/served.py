"""The policy behind a vLLM server: tokens in, tokens out, over loopback HTTP.

It speaks vLLM's `/inference/v1/generate`, not chat completions, because only there do the sampled ids come back as the
engine sampled them. One placeholder per image is sent; the server expands it and says in `usage.prompt_tokens` what it
saw, for the record to compare. A request that failed is a PolicyError, and the caller decides; only one that was lost
with its connection, before a response began, is sent again (`connections.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, cast, runtime_checkable
from weakref import WeakKeyDictionary

import httpx
from PIL.Image import Image
from pydantic import BaseModel, ValidationError

from agent.policies.connections import open_client
from agent.policies.image_urls import ImageURLs
from agent.policies.policy import Completion, PolicyError, Sampling, entropy
from agent.policies.sampling_params import sampling_params
from agent.policies.streamed_completion import StreamedCompletion
from agent.serving.key import refused

GENERATE = "/inference/v1/generate"
NO_LOGPROB = -9999.0
"""What vLLM writes where it has no log-probability for a token."""


class ContextFull(PolicyError):
    """The prompt leaves no room for an answer in the server's context."""


class VersionSource(Protocol):
    """Where the live policy version is kept: see `agent.serving.versions`."""

    def history(self) -> Sequence[str]:
        """All versions that were live, in order; the last one is live now."""
        ...


@runtime_checkable
class AskingSource(VersionSource, Protocol):
    """A source that must ask the server itself, before and after a completion."""

    async def refresh(self, client: httpx.AsyncClient) -> None:
        """Ask it now. Raises httpx.TransportError."""
        ...


class ServedPolicy:
    """A `Policy` that asks a vLLM server. Safe for many concurrent requests, from any event loop."""

    def __init__(
        self,
        base_url: str,
        versions: VersionSource,
        *,
        model: str = "policy",
        timeout_s: float = 600.0,
        concurrency: int = 64,
        priority: int = 0,
    ) -> None:
        """`base_url` like `http://127.0.0.1:8000`; `timeout_s` bounds one whole completion, queueing included.

        The server's key is found by its address: see `agent.serving.key`.
        Requests of a lower `priority` are started earlier; servers started by `agent.serving` know it.
        """
        self.base_url = base_url.rstrip("/")
        self.versions = versions
        self.model = model
        self.timeout_s = timeout_s
        self.concurrency = concurrency
        self.priority = priority
        self._urls = ImageURLs("BMP")
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    @property
    def version(self) -> str:
        """The version that samples now, as far as is known here."""
        return self.versions.history()[-1]

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """Sample one completion (see `Policy.generate`). Raises PolicyError; ContextFull for a prompt too long."""
        body = self._request(token_ids, images, sampling)
        first_version = await self._first_version()
        response = await self._post(GENERATE, body)
        if not response.is_success:
            raise self._refusal(response, len(token_ids))
        await self._look_again()
        return _completion(response.content, self._versions_since(first_version), sampling)

    async def stream(
        self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling
    ) -> AsyncIterator[Sequence[int] | Completion]:
        """As `generate`: sampled ids as the server sends them, and at the end the Completion with all of them."""
        body = self._request(token_ids, images, sampling) | {"stream": True, "stream_options": {"include_usage": True}}
        first_version = await self._first_version()
        gathered = StreamedCompletion()
        try:
            async with self._client().stream("POST", GENERATE, json=body) as response:
                if not response.is_success:
                    await response.aread()
                    raise self._refusal(response, len(token_ids))
                async for line in response.aiter_lines():
                    if new := gathered.add(line):
                        yield new
        except httpx.TransportError as error:
            raise self._lost(error) from error
        await self._look_again()
        yield _completion(gathered.as_answer(), self._versions_since(first_version), sampling)

    def _request(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "token_ids": list(token_ids),
            "sampling_params": sampling_params(sampling),
        }
        if self.priority:
            body["priority"] = self.priority
        if images:
            body["content_parts"] = [{"type": "image_url", "url": self._urls.of(image)} for image in images]
        return body

    async def _first_version(self) -> int:
        """Place in the history of the version that is live before a completion."""
        await self._look_again()
        return len(self.versions.history()) - 1

    async def _look_again(self) -> None:
        if isinstance(self.versions, AskingSource):
            try:
                await self.versions.refresh(self._client())
            except httpx.TransportError as error:
                raise self._lost(error) from error

    def _versions_since(self, first: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.versions.history()[first:]))

    async def aclose(self) -> None:
        """Close this event loop's connections; the policy can be used again afterwards."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        try:
            return await self._client().post(path, json=body)
        except httpx.TransportError as error:
            raise self._lost(error) from error

    def _lost(self, error: httpx.TransportError) -> PolicyError:
        if isinstance(error, httpx.TimeoutException):
            return PolicyError(
                f"got no answer from {self.base_url} in {self.timeout_s:g} s, expected a completion; "
                "if the server is only busy, lower the concurrency or raise timeout_s"
            )
        return PolicyError(
            f"got {type(error).__name__} ({error or 'connection lost'}) from {self.base_url}, expected a running "
            "vLLM server; see the server's log for why it stopped, then start it again"
        )

    def _refusal(self, response: httpx.Response, prompt_length: int) -> PolicyError:
        message = _error_message(response)
        if response.status_code == 400 and "maximum model length" in message:
            return ContextFull(
                f"got a prompt of {prompt_length} ids before expansion that does not fit: {message} "
                "End the episode, or start the server with a larger max_model_len."
            )
        if response.status_code in (401, 403):
            message += f"; {refused(self.base_url)}"
        return PolicyError(f"got HTTP {response.status_code} from {response.url}, expected 200: {message}")

    def _client(self) -> httpx.AsyncClient:
        """One client for each event loop: kept-alive connections belong to the loop that opened them."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = open_client(self.base_url, self.timeout_s, self.concurrency)
            self._clients[loop] = client
        return client


class _Alternative(BaseModel):
    logprob: float


class _Token(BaseModel):
    logprob: float
    top_logprobs: list[_Alternative] = []


class _Logprobs(BaseModel):
    content: list[_Token]


class _Choice(BaseModel):
    token_ids: list[int]
    logprobs: _Logprobs
    finish_reason: str


class _Usage(BaseModel):
    prompt_tokens: int


class _Answer(BaseModel):
    choices: list[_Choice]
    usage: _Usage


def _completion(content: bytes, versions: tuple[str, ...], sampling: Sampling) -> Completion:
    try:
        answer = _Answer.model_validate_json(content)
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, e["loc"])) + f" ({e['msg']})" for e in error.errors())
        raise PolicyError(
            f"got an answer that lacks {missing}, expected choices with token_ids and logprobs, and usage; "
            "is this a vLLM 0.29 server with /inference/v1/generate?"
        ) from error
    if len(answer.choices) != 1:
        raise PolicyError(f"got {len(answer.choices)} choices, expected 1; ask for one completion a request")
    choice = answer.choices[0]
    logprobs = tuple(token.logprob for token in choice.logprobs.content)
    if len(logprobs) != len(choice.token_ids) or NO_LOGPROB in logprobs:
        known = len(logprobs) - logprobs.count(NO_LOGPROB)
        raise PolicyError(f"got {known} log-probabilities for {len(choice.token_ids)} sampled ids, expected one each")
    if choice.finish_reason not in ("stop", "length"):
        raise PolicyError(
            f"got finish reason {choice.finish_reason!r}, expected 'stop' or 'length'; 'abort' means that the weights "
            "were swapped with mode='abort': swap with 'keep' or 'wait', or ask again"
        )
    if sampled := set(choice.token_ids) & set(sampling.banned):
        raise PolicyError(f"got banned ids {sorted(sampled)} among the sampled ones, expected none of them")
    return Completion(
        token_ids=tuple(choice.token_ids),
        logprobs=logprobs,
        finish_reason=choice.finish_reason,
        versions=versions,
        prompt_tokens=answer.usage.prompt_tokens,
        entropies=tuple(
            entropy(sorted((each.logprob for each in token.top_logprobs), reverse=True)[: sampling.alternatives])
            for token in choice.logprobs.content
        )
        if sampling.alternatives
        else (),
    )


def _error_message(response: httpx.Response) -> str:
    """vLLM says why in `error.message`; anything else is quoted as it came."""
    try:
        body = cast(object, response.json())
    except ValueError:
        return response.text[:2000]
    error = cast(dict[str, object], body).get("error") if isinstance(body, dict) else None
    message = cast(dict[str, object], error).get("message") if isinstance(error, dict) else None
    return str(message) if message is not None else response.text[:2000]
