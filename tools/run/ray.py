"""Tools that need a GPU, or another machine, run in Ray actors.

The Ray engine is one that runs already: the one that this process is part of (OpenRLHF's), or the one that RAY_ADDRESS
names; none is started here, and none is joined that nobody named. The machine of an actor needs this code and the
tool's, but no file of ours: images travel with the call, those that the tool looks at. What comes back is checked
there, so that nothing huge travels, and again here, before it is kept.
"""

import asyncio
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from langchain_core.tools import BaseTool

from tools.calls import ToolCall
from tools.errors import ToolFailed
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.limits import Limits
from tools.run.execution import checked, keep
from tools.run.pool import WorkerPool
from tools.run.remote_call import Outcome, Reference, attempt, found_by, loaded, refer
from tools.run.threads import in_thread
from tools.run.wrapper import Invocation

READY_S = 300.0
"""Seconds in which an actor must have found its GPU, and loaded and warmed up a tool."""

_MENDED_BY = "Start one with `ray start --head` and set RAY_ADDRESS (auto: the one on this machine)."
_joining = threading.Lock()


@dataclass(frozen=True)
class Request:
    """A call, sent to an actor."""

    tool: Reference
    call: ToolCall
    images: tuple[MedicalImage | None, ...]
    """The conversation's; None for one that the tool does not look at."""

    limits: Limits


def on_ray(actors: int = 1, ready_s: float = READY_S, **options: Any) -> WorkerPool["Actor"]:
    """A wrapper that runs tools in at most `actors` Ray actors, each with Ray's own `options` for an actor.

    `on_ray(num_gpus=1)`, `on_ray(actors=4, num_cpus=2, resources={"big_memory": 1})`. A tool must be importable on the
    actor's machine. A call fails (ToolFailed) where no Ray engine runs or it has no room within `ready_s` seconds.
    """
    return WorkerPool(partial(Actor, options, ready_s), actors)


class RemoteTools:
    """What lives in the actor."""

    def __init__(self) -> None:
        self._tools: dict[Reference, BaseTool] = {}

    def load(self, reference: Reference) -> Outcome[None]:
        """Loads and warms up a tool."""

        def load() -> None:
            self._tools[reference] = loaded(reference)

        return attempt(load)

    def answer(self, request: Request) -> Outcome[Evidence]:
        """What the tool finds, checked."""
        return attempt(lambda: self._evidence(request))

    def _evidence(self, request: Request) -> Evidence:
        tool, images = self._tools[request.tool], cast("tuple[MedicalImage, ...]", request.images)
        return checked(found_by(tool, request.call, images), tool, request.limits)


class Actor:
    """One Ray actor that answers one call at a time."""

    def __init__(self, options: Mapping[str, Any], ready_s: float) -> None:
        self._ray = _joined()
        self._actor = self._ray.remote(RemoteTools).options(**options).remote()
        self._ready_s = ready_s
        self.loaded: set[Reference] = set()
        self._ended = False

    @property
    def lost(self) -> bool:
        return self._ended

    def load(self, tool: Reference) -> None:
        try:
            outcome: Outcome[None] = self._ray.get(self._actor.load.remote(tool), timeout=self._ready_s)
        except self._ray.exceptions.GetTimeoutError:
            raise ToolFailed(f"{tool.name} found no room in the Ray engine within {self._ready_s:g} s.") from None
        except self._ray.exceptions.RayError as error:
            raise ToolFailed(f"{tool.name} lost its Ray actor ({type(error).__name__}).") from error
        outcome.open()
        self.loaded.add(tool)

    async def run(self, call: Invocation) -> Evidence:
        try:
            return await in_thread(partial(self._evidence, call))
        except asyncio.CancelledError:
            self.end()
            raise

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            if self._ray.is_initialized():
                self._ray.kill(self._actor)

    def _evidence(self, call: Invocation) -> Evidence:
        request = Request(refer(call.tool), call.call, _looked_at(call), call.limits)
        try:
            outcome: Outcome[Evidence] = self._ray.get(self._actor.answer.remote(request))
        except self._ray.exceptions.RayError as error:
            self.end()
            raise ToolFailed(
                f"{call.tool.name} lost its Ray actor ({type(error).__name__}); the next call gets a new one."
            ) from error
        if outcome.spoilt:
            self.end()
        found = outcome.open()
        images = tuple(replace(image) for image in found.images)  # their hashes are computed again, here
        return keep(replace(found, images=images), call.tool, call.store, call.limits)


def _looked_at(call: Invocation) -> tuple[MedicalImage | None, ...]:
    names: tuple[str, ...] | None = getattr(call.tool, "image_parameters", None)
    if names is None:
        return tuple(call.images)
    numbers = {call.arguments[name] for name in names}
    return tuple(call.images[at] if at + 1 in numbers else None for at in range(len(call.image_ids)))


def _joined() -> Any:
    """Ray, connected to the engine that runs. Raises ToolFailed where there is none."""
    try:
        import ray
    except ImportError as error:
        raise ToolFailed("This tool runs on Ray, which is not installed: pip install 'ray[default]'.") from error
    library: Any = ray
    with _joining:
        if not library.is_initialized():
            if not (address := os.environ.get("RAY_ADDRESS")):
                raise ToolFailed(f"This tool runs on Ray, and this process has joined no Ray engine. {_MENDED_BY}")
            try:
                library.init(address=address, log_to_driver=False)
            except ConnectionError as error:
                raise ToolFailed(
                    f"This tool runs on Ray, and no Ray engine answers at RAY_ADDRESS={address}. {_MENDED_BY}"
                ) from error
    return library
