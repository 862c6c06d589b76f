"""Waiting for a tool no longer than its deadline, whatever it does.

Python cannot stop a thread. So each call of a sync tool gets a daemon thread of its own: a tool that hangs keeps that
thread, and nobody waits for it: not this call, not the others (there is no pool to fill), not the interpreter's exit.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class DeadlinePassedError(Exception):
    """The tool had not finished at its deadline."""


async def in_thread(function: Callable[[], T], seconds: float, name: str) -> T:
    """`function()`, run in a daemon thread of its own. Raises what it raises, or DeadlinePassedError."""
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[Callable[[], T]] = loop.create_future()

    def deliver(outcome: Callable[[], T]) -> None:
        if not finished.done():
            finished.set_result(outcome)

    def work() -> None:
        outcome = _outcome(function)
        with contextlib.suppress(RuntimeError):  # the loop is closed: late, and nobody listens any more
            loop.call_soon_threadsafe(deliver, outcome)

    threading.Thread(target=contextvars.copy_context().run, args=(work,), name=name, daemon=True).start()
    done, _ = await asyncio.wait({finished}, timeout=seconds)
    if not done:
        raise DeadlinePassedError
    return finished.result()()


async def in_loop(coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
    """The result of `coroutine`. Raises what it raises, or DeadlinePassedError, and then does not wait for its end."""
    task = asyncio.ensure_future(_without_exit(coroutine))
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
    if not done:
        raise DeadlinePassedError
    if task.cancelled():
        raise RuntimeError("the tool cancelled itself")
    return task.result()


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
