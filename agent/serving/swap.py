"""Hot swap: a running server gets the weights of another checkpoint, and keeps its requests.

The order is the point. Everything that can be found wrong is found before the pause (`validation`). While the server is
paused: weights, then the caches that hold what the old weights computed, then a probe: one greedy token for a picture,
which our scheduler samples although all others wait (`worker/medvista_scheduler.py`). Only weights that answered it
become the live version, and only then the others go on. Whatever fails after the pause leads back to the weights that
were live, and to caches of zeros, for what failed may have left NaN in them; nobody was given a token of it.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
from PIL import Image

from agent.policies.policy import PolicyError, Sampling
from agent.policies.served import ServedPolicy
from agent.serving import engine_control
from agent.serving.checkpoint import Checkpoint
from agent.serving.engine_control import EngineRefused, PauseMode
from agent.serving.server_command import ServerOptions
from agent.serving.validation import image_prompt, validate
from agent.serving.versions import LiveVersions

PROBE_SIDE = 64
"""Of the grey picture that proves the vision tower, in pixels."""
PROBE_PRIORITY = -2
"""By which the scheduler knows the probe, and samples it during the pause."""
FIRST_PRIORITY = -1
"""Before all others, in the first step after the pause: this request tells how long they waited."""
TIMEOUT_S = 600.0
"""For one step: `wait` may wait for long answers, and the weights may be large."""


class SwapError(RuntimeError):
    """A swap failed after the pause. The message says why, and which version is live now."""


class Swappable(Protocol):
    """A server that can be swapped: our own (`VLLMServer`), or one that another process started (`AttachedServer`)."""

    checkpoint: Checkpoint
    versions: LiveVersions
    options: ServerOptions
    base_url: str
    log: Path | None
    swapping: asyncio.Lock

    def went_live(self, checkpoint: Checkpoint) -> None:
        """Note that the engine holds `checkpoint` now."""
        ...


@dataclass(frozen=True)
class SwapResult:
    """What a swap cost. All times in seconds."""

    version: str
    """The version that is live now."""
    previous: str
    seconds: float
    """From the pause to the resume: for so long nothing was sampled."""
    pause_to_first_token: float
    """From the pause to the first token after the resume, received; it was in one batch with those that waited."""
    validation_seconds: float
    """Before the pause, while the server went on."""


async def hot_swap(server: Swappable, new: Checkpoint, mode: PauseMode = "keep") -> SwapResult:
    """Make `new` the live checkpoint of `server`.

    `keep`: running requests go on under the new weights, and their completions name both versions. `wait`: they finish
    first, under the old ones. `abort`: they fail. Requests that arrive meanwhile wait in every mode.

    Raises CheckpointError where `new` may not be loaded (the server was not touched), SwapError where the swap failed
    (the old weights are back, or the message says that they are not). One swap at a time for each server.
    """
    async with server.swapping, _Engine(server) as engine:
        begun = time.perf_counter()
        old = server.checkpoint
        await asyncio.to_thread(validate, new, old)
        engine.prompt = await asyncio.to_thread(image_prompt, new.folder)
        validated = time.perf_counter()
        try:
            resumed = await engine.exchange(new, mode)
            answered = time.perf_counter()
        except asyncio.CancelledError:
            await engine.restore(old)
            raise
        except (EngineRefused, PolicyError) as error:
            failed = f"the swap from {old.version} to {new.version} failed after the pause: {error}"
            try:
                await engine.restore(old)
            except (EngineRefused, PolicyError) as second:
                raise SwapError(
                    f"{failed}\nGoing back failed too: {second}\nStart the server again with {old.version}."
                ) from error
            raise SwapError(f"{failed}\n{old.version} is live again; see the server's log, {server.log}") from error
        return SwapResult(
            version=new.version,
            previous=old.version,
            seconds=resumed - validated,
            pause_to_first_token=answered - validated,
            validation_seconds=validated - begun,
        )


class _Engine:
    """The connections to one server for one swap, opened before the pause."""

    def __init__(self, server: Swappable) -> None:
        self.server = server
        self.prompt: list[int] = []
        """What new weights are proved with: the served tokenizer's, which all that are swapped in share."""
        url, model = server.base_url, server.options.model_name
        # The server closes a connection after an error of its own: a kept one could be dead when we go back.
        alone = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=alone, trust_env=False, verify=False)
        self.probing, self.timing = (
            ServedPolicy(url, server.versions, model=model, timeout_s=TIMEOUT_S, priority=priority)
            for priority in (PROBE_PRIORITY, FIRST_PRIORITY)
        )

    async def __aenter__(self) -> _Engine:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()
        await self.probing.aclose()
        await self.timing.aclose()

    async def exchange(self, checkpoint: Checkpoint, mode: PauseMode, *, zeroed: bool = False) -> float:
        """Pause, load, prove, resume. The version changes while nothing is sampled. Returns when it was resumed.

        `zeroed`: overwrite the caches before the proof.
        """
        await engine_control.pause(self.client, mode)
        first = asyncio.create_task(_greedy_token(self.timing, self.prompt))  # queued, so that it is admitted at once
        try:
            await engine_control.reload_weights(self.client, checkpoint.folder)
            await engine_control.forget_old_weights(self.client)
            if zeroed:
                await engine_control.zero_caches(self.client)
            await _greedy_token(self.probing, self.prompt)
            await engine_control.name_version(self.client, checkpoint.version)
            self.server.went_live(checkpoint)
            await engine_control.resume(self.client)
            resumed = time.perf_counter()
            await first
            return resumed
        finally:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)

    async def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint that was served before, wherever the exchange stopped."""
        await engine_control.pause(self.client, "keep")
        await engine_control.abandon_reload(self.client)
        await self.exchange(checkpoint, "keep", zeroed=True)


async def _greedy_token(policy: ServedPolicy, prompt: list[int]) -> None:
    """One greedy token for a picture. Raises PolicyError for none, or one of no finite probability."""
    picture = Image.new("L", (PROBE_SIDE, PROBE_SIDE), 128)
    completion = await policy.generate(prompt, [picture], Sampling(temperature=0.0, max_tokens=1))
    if len(completion.token_ids) != 1 or not math.isfinite(completion.logprobs[0]):
        raise PolicyError(f"got {completion} for the probe, expected one id with a finite log-probability")
