"""Calls run in places of their own (processes, Ray actors), one call at a time in each, so what a call does to its
place costs that call alone. Places are started when needed, kept for later calls, and replaced when they are lost.

Starting a place, loading the tool there, warming it up and waiting for a free one happen before the call's deadline
begins to count.
"""

import threading
import weakref
from collections.abc import Callable, Set
from dataclasses import replace
from functools import partial
from typing import Generic, Protocol, TypeVar

from tools.evidence import Evidence
from tools.run.remote_call import Reference, refer
from tools.run.threads import in_thread
from tools.run.wrapper import Invocation, Step


class Worker(Protocol):
    """Somewhere to run calls, one after the other."""

    @property
    def lost(self) -> bool:
        """Whether it was ended, or ended by itself. Asked only between calls."""
        ...

    @property
    def loaded(self) -> Set[Reference]:
        """The tools that are ready there."""
        ...

    def load(self, tool: Reference) -> None:
        """Loads and warms up `tool`; waits for it. Raises ToolFailed, or RuntimeError for a tool that cannot be."""
        ...

    async def run(self, call: Invocation) -> Evidence:
        """The evidence of `call`, checked and kept. Cancelled, it ends the place."""
        ...

    def end(self) -> None:
        """Ends the place, whatever it is doing. Does no harm twice."""
        ...


P = TypeVar("P", bound=Worker)


class _Loan(Generic[P]):
    """A place for one call; `over` when the call no longer wants it, which may be before it has it."""

    place: P | None = None
    over = False


class WorkerPool(Generic[P]):
    """A wrapper that runs each call in one of at most `most` places that `start` makes."""

    def __init__(self, start: Callable[[], P], most: int) -> None:
        if most < 1:
            raise ValueError(f"Got {most} places for calls, expected at least 1.")
        self._start = start
        self._free_places = threading.Semaphore(most)
        self._idle: list[P] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _end_all, self._idle)  # also when the interpreter exits

    async def __call__(self, call: Invocation, proceed: Step) -> Evidence:
        loan = _Loan[P]()
        try:
            place = await in_thread(partial(self._lend, loan, refer(call.tool)))
            return await proceed(replace(call, run=place.run))
        finally:
            self._take_back(loan)

    def _lend(self, loan: _Loan[P], tool: Reference) -> P:
        self._free_places.acquire()
        place = None
        try:
            place = self._idle_place(tool) or self._start()
            if tool not in place.loaded:
                place.load(tool)
        except BaseException:
            if place is not None:
                place.end()
            self._free_places.release()
            raise
        with self._lock:
            loan.place = place
            late = loan.over
        if late:
            self._return(place)
        return place

    def _take_back(self, loan: _Loan[P]) -> None:
        with self._lock:
            loan.over = True
            place = loan.place
        if place is not None:
            self._return(place)

    def _return(self, place: P) -> None:
        if not place.lost:
            with self._lock:
                self._idle.append(place)
        self._free_places.release()

    def _idle_place(self, tool: Reference) -> P | None:
        """The place that had `tool` last, or else was idle longest; none that was lost while it was idle."""
        while True:
            with self._lock:
                having = [number for number, place in enumerate(self._idle) if tool in place.loaded]
                place = self._idle.pop(having[-1] if having else 0) if self._idle else None
            if place is None or not place.lost:
                return place
            place.end()


def _end_all(places: list[P]) -> None:
    for place in places:
        place.end()
