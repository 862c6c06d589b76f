"""Waiting for a tool from the event loop, in a way that whoever waits can leave at any time.

Python cannot stop a thread. So a sync tool runs in a daemon thread that serves one function at a time: one that hangs
keeps its thread, and nobody waits for it: not its call, not the others (they take a thread that is free, or a new one),
not the interpreter's exit. An asynchronous tool gets a task of its own, which is told to end and not waited for.
"""

import asyncio
import contextlib
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from queue import SimpleQueue
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
Job = Callable[[], object]

_free: list[SimpleQueue[Job]] = []
"""Of each thread that waits for work, where it takes it from. The one that worked last is taken first: it is warm."""
os.register_at_fork(after_in_child=_free.clear)  # a forked child has none of these threads


async def in_thread(function: Callable[[], T]) -> T:
    """`function()`, run in a daemon thread. Raises what it raises; a SystemExit becomes a RuntimeError."""
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[Callable[[], T]] = loop.create_future()

    def deliver(outcome: Callable[[], T]) -> None:
        if not finished.done():
            finished.set_result(outcome)

    def work() -> None:
        outcome = _outcome(function)
        with contextlib.suppress(RuntimeError):  # the loop is closed: late, and nobody listens any more
            loop.call_soon_threadsafe(deliver, outcome)

    _start(partial(contextvars.copy_context().run, work))
    return (await finished)()


async def in_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of `coroutine`. Raises what it raises. Cancelled, it cancels the coroutine and waits no longer."""
    task = asyncio.ensure_future(_without_exit(coroutine))
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
    if task.cancelled():
        raise RuntimeError("the tool cancelled itself")
    return task.result()


def _start(job: Job) -> None:
    try:
        jobs = _free.pop()
    except IndexError:
        jobs = SimpleQueue[Job]()
        threading.Thread(target=_serve, args=(jobs,), name="tool", daemon=True).start()
    jobs.put(job)


def _serve(jobs: SimpleQueue[Job]) -> NoReturn:
    while True:
        jobs.get()()
        _free.append(jobs)


def _outcome(function: Callable[[], T]) -> Callable[[], T]:
    try:
        value = function()
    except BaseException as error:  # a thread has no caller: whatever it is goes to the one who waits
        return partial(_raise, error)
    return lambda: value


def _raise(error: BaseException) -> NoReturn:
    if isinstance(error, SystemExit):
        raise RuntimeError("the tool ended the program") from error
    raise error


async def _without_exit(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await coroutine
    except SystemExit as error:
        _raise(error)
