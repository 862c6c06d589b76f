"""The same call on the same images is answered from memory.

Same means: tool, its version, arguments with their defaults, and content hashes of the images that it may look at,
under the same numbers (a tool's text names them), in the same store. A tool's version changes whenever its results
would, so only tools that have one are remembered: of a plain LangChain tool nobody knows whether it answers the same
twice; a medical tool that does not says `version=""`. Failures are never remembered. Two equal calls at the same time
both run.
"""

import threading
from collections import OrderedDict
from typing import Any

from pydantic_core import to_json

from tools.evidence import Evidence
from tools.run.wrapper import Invocation, Step

Key = tuple[str, ...]


class Cache:
    """Remembers evidence up to `most_bytes` (pixels and text), what was used least recently going first.

    Safe to share between toolboxes, threads and event loops.
    """

    def __init__(self, most_bytes: int = 256 * 2**20) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        """That are remembered."""
        self._found: OrderedDict[Key, Evidence] = OrderedDict()
        self._lock = threading.Lock()

    async def __call__(self, call: Invocation, proceed: Step) -> Evidence:
        version = str(getattr(call.tool, "version", ""))
        if not version:
            return await proceed(call)
        key = _key(call, version)
        with self._lock:
            if (found := self._found.get(key)) is not None:
                self._found.move_to_end(key)
        if found is not None and all(image.id in call.store for image in found.images):
            return found
        found = await proceed(call)
        self._remember(key, found)
        return found

    def _remember(self, key: Key, found: Evidence) -> None:
        size = _size(key, found)
        if size > self.most_bytes:
            return
        with self._lock:
            if (before := self._found.pop(key, None)) is not None:
                self.bytes -= _size(key, before)
            self._found[key] = found
            self.bytes += size
            while self.bytes > self.most_bytes:
                self.bytes -= _size(*self._found.popitem(last=False))


def _key(call: Invocation, version: str) -> Key:
    numbers: tuple[str, ...] | None = getattr(call.tool, "image_parameters", None)
    looked_at = (
        call.image_ids if numbers is None else [call.image_ids[int(call.arguments[each]) - 1] for each in numbers]
    )
    arguments: dict[str, Any] = dict(sorted(call.arguments.items()))
    return call.tool.name, version, to_json(arguments, fallback=repr).decode(), str(call.store.folder), *looked_at


def _size(key: Key, found: Evidence) -> int:
    pixels = sum(image.measured.nbytes for image in found.images)
    return pixels + len(found.text) + sum(map(len, key)) + 500 * (len(found.regions) + len(found.measurements))
