"""A completion that a vLLM server streams, gathered into the answer that it would have given at once.

So a streamed completion is checked by the same rules as any other.
"""

import json
from collections.abc import Sequence
from typing import Any, cast

from agent.policies.policy import PolicyError

DATA = "data: "
DONE = "[DONE]"
ABORT = "abort"
"""The reason that vLLM 0.29 keeps to itself when nothing was sampled since the last event: a stream that ends in order
(`[DONE]`, no error) but names no reason was aborted."""


class StreamedCompletion:
    """The events of one stream of `/inference/v1/generate`."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._logprobs: list[object] = []
        self._finish_reason: str | None = None
        self._usage: object = None
        self._ended = False

    def add(self, line: str) -> Sequence[int]:
        """The new ids of one line of server-sent events. Raises PolicyError for the server's own errors."""
        self._ended = self._ended or line == DATA + DONE
        if not line.startswith(DATA) or self._ended:
            return ()
        event = cast("dict[str, Any]", json.loads(line.removeprefix(DATA)))
        if "error" in event:
            raise PolicyError(f"got an error in the stream, expected sampled ids: {event['error']}")
        self._usage = event.get("usage") or self._usage
        new: list[int] = []
        for choice in cast("list[dict[str, Any]]", event.get("choices", [])):
            new += choice.get("token_ids") or []
            logprobs = cast("dict[str, list[object]]", choice.get("logprobs") or {})
            self._logprobs += logprobs.get("content") or []
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
        self._ids += new
        return new

    def as_answer(self) -> bytes:
        """The answer without streaming."""
        choice = {
            "token_ids": self._ids,
            "logprobs": {"content": self._logprobs},
            "finish_reason": self._finish_reason or (ABORT if self._ended else None),
        }
        return json.dumps({"choices": [choice], "usage": self._usage}).encode()
