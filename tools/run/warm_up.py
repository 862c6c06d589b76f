"""A tool that must first load something (models, a library) does so before its first call, off that call's clock.

Nothing is loaded at import or when a Toolbox is built: a program that never calls the tool never pays. Calls that come
meanwhile wait for the same loading. One that fails is tried again by the next call.
"""

import asyncio
import threading
from collections.abc import Callable

from tools.errors import ToolFailed
from tools.evidence import Evidence
from tools.run.local import run_local
from tools.run.threads import in_thread
from tools.run.wrapper import Invocation, Step

LONGEST_S = 180.0
"""Seconds that a call waits for a tool to become ready."""


class WarmUp:
    """Runs `load` once before the first call of a tool that runs in this process; other places see to it themselves."""

    def __init__(self, load: Callable[[], object], longest_s: float = LONGEST_S) -> None:
        self._load = load
        self._longest_s = longest_s
        self._one_at_a_time = threading.Lock()
        self._ready = False

    async def __call__(self, call: Invocation, proceed: Step) -> Evidence:
        if call.run is run_local and not self._ready:
            clock = asyncio.timeout(self._longest_s)
            try:
                async with clock:
                    await in_thread(self._load_once)
            except TimeoutError:
                if not clock.expired():
                    raise
                raise ToolFailed(f"{call.tool.name} was not ready after {self._longest_s:g} s.") from None
        return await proceed(call)

    def _load_once(self) -> None:
        with self._one_at_a_time:
            if not self._ready:
                self._load()
                self._ready = True
