"""Where the calls of one prompt group meet: OpenRLHF asks for its samples one by one, they are made together.

OpenRLHF's rollout actor gathers `n_samples_per_prompt` calls of `execute` for a prompt. The first starts the group,
every call takes one of its samples; if the group fails, all of them do.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Sample = TypeVar("Sample")


class SharedGroups(Generic[Sample]):
    """Groups of `size` samples under way, by key."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._open: dict[str, tuple[asyncio.Task[Sequence[Sample]], list[int]]] = {}

    async def take(self, key: str, make: Callable[[], Awaitable[Sequence[Sample]]]) -> Sample:
        """The next sample of the group under `key`; `make` is called by the first of `size` calls."""
        if key not in self._open:
            self._open[key] = (asyncio.ensure_future(_made(make)), list(range(self.size)))
        group, left = self._open[key]
        place = left.pop(0)
        if not left:  # a later call under the same key opens a group of its own
            del self._open[key]
        samples = await asyncio.shield(group)
        if len(samples) != self.size:
            raise ValueError(f"Got a group of {len(samples)} samples, expected {self.size}.")
        return samples[place]


async def _made(make: Callable[[], Awaitable[Sequence[Sample]]]) -> Sequence[Sample]:
    return await make()
