"""Waiting for a policy from synchronous code.

Policies are asynchronous and some belong to one event loop (an engine in a rollout actor). So a synchronous call is
sent to the loop that its episode runs in, from the thread that LangGraph gives it; without one, to a loop of our own.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def _own_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="medvista-policy", daemon=True).start()
    return loop


def wait(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None) -> T:
    """The result of `work`, run in `loop` if it runs elsewhere than here, else in our own."""
    return asyncio.run_coroutine_threadsafe(work, _elsewhere(loop)).result()


def each(items: AsyncIterator[T], loop: asyncio.AbstractEventLoop | None) -> Iterator[T]:
    """The items of an asynchronous iterator."""
    there = _elsewhere(loop)
    end = object()

    async def following() -> T | object:
        return await anext(items, end)

    while (item := asyncio.run_coroutine_threadsafe(following(), there).result()) is not end:
        yield item  # pyright: ignore[reportReturnType]


def _elsewhere(loop: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
    try:
        here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    return loop if loop is not None and loop is not here and loop.is_running() else _own_loop()
