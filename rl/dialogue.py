"""An episode of a compiled graph whose turns come from outside, one call at a time.

The graph itself runs, unchanged: its policy waits until somebody says the next turn. So whatever steps through an
episode (the Gymnasium environment) shares every line of an agent's turn with serving and training.
The graph runs in an event loop of its own thread, so that a caller needs none and may have one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any, cast

from PIL.Image import Image

from agent.encoder import Encoder
from agent.policies.policy import Completion, Sampling
from agent.policies.scripted import ScriptedPolicy
from agent.prompt import plain
from agent.question import Question
from rl.played import Played
from graphs.loading import GraphError

Said = str | Completion
"""A turn: its text, or exactly what a policy sampled."""
Invoke = Callable[..., Awaitable[Played]]


@dataclass(frozen=True)
class Asked:
    """The graph waits for a turn."""

    token_ids: tuple[int, ...]
    """The prompt, with one placeholder per image."""
    images: tuple[Image, ...]
    """Every picture of the prompt, in order."""


@dataclass
class _Waiting:
    """The graph's policy: hands each request out and waits for what is said."""

    encoder: Encoder
    asked: "asyncio.Queue[Asked | None]"
    """None: the episode has ended."""
    said: "asyncio.Queue[Said]"

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The turn that is said next; text is encoded as a script's is."""
        self.asked.put_nowait(Asked(tuple(token_ids), tuple(images)))
        turn = await self.said.get()
        if isinstance(turn, Completion):
            return turn
        text = plain(turn)

        def script(turns: int, last: str) -> str:
            del turns, last
            return text

        return await ScriptedPolicy(script, self.encoder).generate(token_ids, images, sampling)


class Dialogue:
    """One graph's episodes, one after the other. Close it, or its thread stays."""

    def __init__(self, build: Callable[[Any], Any], encoder: Encoder, settings: dict[str, Any]) -> None:
        """`build` compiles the graph for a policy; `settings` is LangGraph's config of a run (its recursion limit)."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="medvista-dialogue", daemon=True)
        self._thread.start()
        self._policy = _Waiting(encoder, asyncio.Queue(), asyncio.Queue())
        self._graph = build(self._policy)
        self._settings = settings
        self._episode: asyncio.Task[Played] | None = None

    def begin(self, question: Question) -> Asked:
        """Starts an episode (ending one that goes on) and returns its first request.

        Raises what the graph raises, GraphError where it ends without asking its policy.
        """
        asked = self._wait(self._begin(question))
        if not isinstance(asked, Asked):
            raise GraphError(
                "Got a graph that ended without asking its policy, expected at least one turn: does it use the model "
                "that it is given?"
            )
        return asked

    def say(self, turn: Said) -> Asked | Played:
        """Gives the turn that the graph waits for; the next request, or the final state. Raises what the graph raises.

        RuntimeError where no episode goes on.
        """
        if self._episode is None or self._episode.done():
            raise RuntimeError("Got a turn, but no episode goes on; begin one first.")
        return self._wait(self._say(turn))

    def close(self) -> None:
        """Ends the episode and the thread."""
        if self._thread.is_alive():
            self._wait(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _begin(self, question: Question) -> Asked | Played:
        await self._end()
        asked: asyncio.Queue[Asked | None] = asyncio.Queue()
        self._policy.asked, self._policy.said = asked, asyncio.Queue()
        invoke = cast(Invoke, self._graph.ainvoke)
        self._episode = asyncio.ensure_future(invoke(question, self._settings))
        self._episode.add_done_callback(lambda _: asked.put_nowait(None))
        return await self._next()

    async def _say(self, turn: Said) -> Asked | Played:
        self._policy.said.put_nowait(turn)
        return await self._next()

    async def _next(self) -> Asked | Played:
        assert self._episode is not None
        return await self._policy.asked.get() or await self._episode

    async def _end(self) -> None:
        if self._episode is not None and not self._episode.done():
            self._episode.cancel()
            with suppress(asyncio.CancelledError, CancelledError):
                await self._episode
