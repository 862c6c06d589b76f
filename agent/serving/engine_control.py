"""vLLM's development endpoints, one function each, and what they answer. Only a swap calls them.

In `keep` mode the running requests hold key-value blocks of the old weights. They must be preempted
(`reset_running_requests`), or the prefix cache is silently not reset: vLLM then answers 200 with `success: false`.

The cache of processed images is left alone on purpose. It holds pixels, which no weight changes, and it has two halves,
in the API server and in the engine: a reset between the moment one half says "the other has it" and the other is asked
fails that request ("multi-modal cache miss"). Validation makes sure that the image processor stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

import httpx

from agent.serving.key import authorization

PauseMode = Literal["keep", "wait", "abort"]


class EngineRefused(RuntimeError):
    """The server did not do what it was told; the message says what and why."""


async def pause(client: httpx.AsyncClient, mode: PauseMode) -> None:
    """Stop sampling. `keep` freezes the running requests, `wait` lets them finish, `abort` ends them."""
    await _post(client, "/pause", {"mode": mode, "clear_cache": "false"})


async def resume(client: httpx.AsyncClient) -> None:
    """Go on sampling, queued requests included."""
    await _post(client, "/resume")


async def reload_weights(client: httpx.AsyncClient, folder: Path) -> None:
    """Load the weights of a validated checkpoint folder over the present ones."""
    call = {"method": "reload_weights", "kwargs": {"weights_path": str(folder.resolve())}}
    await _post(client, "/collective_rpc", json=call)
    await _post(client, "/collective_rpc", json={"method": "repack_output_layer"})


async def abandon_reload(client: httpx.AsyncClient) -> None:
    """Let the workers forget a reload that broke off, or the next one fails alike (see `worker/medvista_reload.py`)."""
    await _post(client, "/collective_rpc", json={"method": "abandon_reload"})


async def forget_old_weights(client: httpx.AsyncClient) -> None:
    """Drop what the old weights computed: key-value blocks and encoded images. The server must be paused."""
    answer = await _post(client, "/reset_prefix_cache", {"reset_running_requests": "true", "reset_external": "true"})
    if cast(dict[str, object], answer.json()).get("success") is not True:
        raise EngineRefused(f"got {answer.text} from /reset_prefix_cache, expected success, or answers would be stale")
    await _post(client, "/reset_encoder_cache")


async def zero_caches(client: httpx.AsyncClient) -> None:
    """Overwrite key-value blocks and encoded images with zeros: a block that is used again may hold another's NaN."""
    await _post(client, "/collective_rpc", json={"method": "zero_caches"})


async def name_version(client: httpx.AsyncClient, version: str) -> None:
    """Tell the engine what its weights are called; `GET /weight_info` says it to anyone."""
    await _post(client, "/update_weight_version", json={"new_version": version})


async def _post(
    client: httpx.AsyncClient, path: str, query: dict[str, str] | None = None, json: Mapping[str, object] | None = None
) -> httpx.Response:
    try:
        answer = await client.post(path, params=query, json=json, headers=authorization(str(client.base_url)))
    except httpx.TransportError as error:
        raise EngineRefused(f"got {type(error).__name__} from {path}, expected a server that answers") from error
    if not answer.is_success:
        raise EngineRefused(f"got HTTP {answer.status_code} from {path}, expected 200: {answer.text[:1000]}")
    return answer
