"""A policy that asks again when its server is lost: the same turn, so that nothing before it is repeated.

A server that restarts, or is one of several, is no reason to throw an episode away. Between the tries it waits, twice
as long each time, and goes on with the next of its servers. A prompt that does not fit will not fit the next time
either, and is raised at once.
"""

import asyncio
from collections.abc import Sequence

from PIL.Image import Image

from agent.policies.policy import Completion, Policy, PolicyError, Sampling
from agent.policies.served import ContextFull


class RetryingPolicy:
    """One policy, behind one or several servers."""

    def __init__(self, servers: Sequence[Policy], tries: int = 5, pause_s: float = 1.0) -> None:
        """A turn is asked at most `tries` times; `pause_s` seconds lie before the second."""
        self.servers, self.tries, self.pause_s = tuple(servers), tries, pause_s
        self._first = 0
        """The server that answered last."""

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The turn. Raises the last try's PolicyError; ContextFull at once."""
        asked = self._first
        for attempt in range(self.tries):
            if attempt:
                await asyncio.sleep(self.pause_s * 2 ** (attempt - 1))
            place = (asked + attempt) % len(self.servers)
            try:
                completion = await self.servers[place].generate(token_ids, images, sampling)
            except ContextFull:
                raise
            except PolicyError:
                if attempt + 1 == self.tries:
                    raise
            else:
                self._first = place
                return completion
        raise ValueError(f"Got tries={self.tries}, expected at least 1.")
