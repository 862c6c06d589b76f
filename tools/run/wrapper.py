"""What a wrapper is: a callable that gets a call and the next step, and returns the evidence.

    async def timed(call: Invocation, proceed: Step) -> Evidence:
        started = time.perf_counter()
        found = await proceed(call)
        log(call.tool.name, time.perf_counter() - started)
        return found

It may refuse the call (ToolRetry, ToolFailed), answer it itself, or change it on its way: where it runs is a field of
the call. What a step returns is checked, and its images are in `call.store`. The deadline is the innermost step, so
nobody's call is charged for what a wrapper prepares or waits for. A wrapper that has `names` is put around the tools of
these names alone. One that has `admit` rations calls.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from langchain_core.tools import BaseTool

from tools.calls import ToolCall
from tools.evidence import Evidence
from tools.images.limits import Limits
from tools.images.store import ImageStore, StoredImages

Step = Callable[["Invocation"], Awaitable[Evidence]]
Wrapper = Callable[["Invocation", Step], Awaitable[Evidence]]


@runtime_checkable
class Rationing(Protocol):
    """A wrapper that lets so many calls through.

    It decides from the episode's past alone, and is asked about the calls of a turn in their order before any is run.
    So the same calls are let through whether a turn's calls run together (a Toolbox) or apart (LangGraph's ToolNode),
    and in a thread that another process goes on with.
    """

    def admit(self, tool: str, spent: Mapping[str, int]) -> None:
        """Raises ToolRetry for a call of `tool` too many after `spent`, calls of each tool."""
        ...


@dataclass(frozen=True)
class Invocation:
    """A validated call on its way to its tool."""

    tool: BaseTool
    call: ToolCall
    """As the policy wrote it: JSON values, for another process to validate again."""

    arguments: Mapping[str, Any]
    """With their types and defaults."""

    image_ids: Sequence[str]
    """The conversation's images, number 1 first."""

    store: ImageStore
    limits: Limits
    """Of the images that the tool may return."""

    run: Step
    """Where the tool runs: in this process, until a wrapper names another place."""

    @property
    def images(self) -> StoredImages:
        """The conversation's images, each read when it is looked at."""
        return StoredImages(self.image_ids, self.store)


@dataclass(frozen=True, eq=False)
class Only:
    """`wrapper` around the tools of these names alone."""

    names: tuple[str, ...]
    wrapper: Wrapper

    async def __call__(self, call: Invocation, proceed: Step) -> Evidence:
        return await self.wrapper(call, proceed)

    def admit(self, tool: str, spent: Mapping[str, int]) -> None:
        """As the wrapper does, if it rations."""
        if isinstance(self.wrapper, Rationing):
            self.wrapper.admit(tool, spent)


def only(names: str | Sequence[str], wrapper: Wrapper) -> Only:
    """`wrapper` for the tools of these names alone: `only("read_text", isolated())`."""
    return Only((names,) if isinstance(names, str) else tuple(names), wrapper)


def wrapped(step: Step, wrapper: Wrapper) -> Step:
    """`step` with `wrapper` around it."""

    async def outer(call: Invocation) -> Evidence:
        return await wrapper(call, step)

    return outer
