"""Running the tool calls of one turn: together, each with its deadline, each failure its own.

This is the one boundary where any exception of a tool becomes data. What the policy can mend comes back as `retry`,
what it cannot as `failed`; anything else is a `bug`: logged with its traceback, and told to the policy as our fault.
"""

import asyncio
import copy
import difflib
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Self

from langchain_core.tools import BaseTool, ToolException

from tools.calls import Status, ToolCall, ToolResult
from tools.errors import ToolRetry
from tools.evidence import Region
from tools.images.limits import Limits
from tools.images.store import ImageStore
from tools.run.deadline import Deadline
from tools.run.local import run_local
from tools.run.validation import arguments_model, find_tool, validated_arguments
from tools.run.warm_up import WarmUp
from tools.run.wrapper import Invocation, Rationing, Step, Wrapper, wrapped
from tools.signature import prompt_line

__all__ = ["ToolCall", "ToolResult", "Toolbox"]

_log = logging.getLogger(__name__)

Checked = tuple[BaseTool, dict[str, Any]] | Exception
"""A call's tool and arguments, or what is raised instead."""
Known = Callable[[ToolCall], ToolResult | None]
"""What a call is known to give; None where nobody knows."""


def unknown(_: ToolCall) -> None:
    """Of no call the result is known."""


class Toolbox:
    """The tools of one agent: medical tools and any other LangChain tools, e.g. those of `load_tools`.

    `wrappers` go around every call, the first outermost; `only` puts one around some tools, and a tool may bring its
    own (`@medical_tool(wrappers=...)`), which go inside these:

        Toolbox(tools, wrappers=[Budget(8), Cache(), only("read_text", isolated())])

    is at most eight calls an episode, of which repeated ones are answered from memory, and read_text in a process of
    its own. The folder `tools/run/` has them all and says how to write one. A deadline needs no wrapper: each call
    has `deadline_s` seconds, or what its tool declares, from when the tool is ready.

    Raises ValueError for two tools of one name, and for a wrapper that is meant for a tool that is not here.
    """

    def __init__(
        self,
        tools: Sequence[BaseTool],
        deadline_s: float = 20.0,
        max_calls: int = 4,
        wrappers: Sequence[Wrapper] = (),
        limits: Limits | None = None,
    ) -> None:
        self.deadline_s = deadline_s
        """Seconds that a call may take, where its tool declares no other number."""
        self.max_calls = max_calls
        """Calls of one turn that are run; the ones after are refused."""
        self.wrappers = tuple(wrappers)
        self.limits = limits or Limits()
        """Of the images that tools may return."""
        self._hold(tools)
        for wrapper in wrappers:
            _check_names(wrapper, self._tools)

    def _hold(self, tools: Sequence[BaseTool]) -> None:
        tools = [getattr(tool, "inner", tool) for tool in tools]  # what `for_messages` gave wraps it
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) != len(tools):
            raise ValueError(f"Got tools of the same name: {sorted(tool.name for tool in tools)}; expected each once.")
        self._prompt_section = "\n".join(prompt_line(tool) for tool in tools)
        around = {tool.name: _around(tool, self.wrappers, self.deadline_s) for tool in tools}
        self._rations = {
            name: [each for each in wrappers if isinstance(each, Rationing)] for name, wrappers in around.items()
        }
        self._steps = {name: _first_step(wrappers) for name, wrappers in around.items()}
        self._models = {tool.name: arguments_model(tool) for tool in tools}

    def around(self, tools: Sequence[BaseTool]) -> Self:
        """This one's wrappers, deadline and limits around other tools; a wrapper for tools that are not there rests."""
        made = copy.copy(self)
        made._hold(tools)
        return made

    @property
    def names(self) -> tuple[str, ...]:
        """The tools' names, in the order they were given."""
        return tuple(self._tools)

    @property
    def tools(self) -> tuple[BaseTool, ...]:
        """The tools, in the order they were given."""
        return tuple(self._tools.values())

    def prompt_section(self) -> str:
        """One line a tool: name, arguments, what it does."""
        return self._prompt_section

    def validate(self, call: ToolCall, image_count: int) -> None:
        """Raises ToolRetry for an unknown tool, a wrong argument or an image number outside 1..image_count."""
        self._arguments(call, image_count)

    async def run(
        self,
        calls: Sequence[ToolCall],
        images: Sequence[str],
        store: ImageStore,
        spent: Mapping[str, int] | None = None,
        places: Collection[int] | None = None,
        known: Known = unknown,
    ) -> list[ToolResult]:
        """The results of a turn's `calls`, in their order; all run at once. Raises nothing for what a tool does.

        `images` are the conversation's images as ids of `store`, number 1 first; what tools return is put there.
        `spent` is how often each tool was called in earlier turns of this episode, for wrappers that ration.
        `places` (from 0) picks the calls to run where others of the turn run elsewhere, or have run: all are counted.
        A call that is let through and whose result is `known` is not run.
        """
        so_far = Counter(spent or {})
        under_way: list[Coroutine[Any, Any, ToolResult]] = []
        for place, call in enumerate(calls):
            checked = self._checked(place, call, len(images), so_far)
            if places is None or place in places:
                under_way.append(self._result(call, checked, images, store, known))
            if not isinstance(checked, ToolRetry):
                so_far[call.name] += 1
        return [await under_way[0]] if len(under_way) == 1 else list(await asyncio.gather(*under_way))

    def _checked(self, place: int, call: ToolCall, image_count: int, spent: Mapping[str, int]) -> Checked:
        """Whether a call may run is decided before any does, so it is the same wherever the turn's others run."""
        try:
            if place >= self.max_calls:
                raise ToolRetry(
                    f"Got call {place + 1} of this turn, expected at most {self.max_calls}: repeat it in a later turn."
                )
            checked = self._arguments(call, image_count)
            for ration in self._rations[call.name]:
                ration.admit(call.name, spent)
        except Exception as error:
            return error
        return checked

    async def _result(
        self,
        call: ToolCall,
        checked: Checked,
        images: Sequence[str],
        store: ImageStore,
        known: Known,
    ) -> ToolResult:
        started = time.perf_counter()
        version = str(getattr(self._tools.get(call.name), "version", ""))

        def failure(status: Status, text: str) -> ToolResult:
            seconds = time.perf_counter() - started
            return ToolResult(call=call, status=status, text=text, seconds=seconds, tool_version=version)

        try:
            if isinstance(checked, Exception):
                raise checked
            if (result := known(call)) is not None:
                return result
            tool, arguments = checked
            found = await self._steps[call.name](
                Invocation(tool, call, arguments, images, store, self.limits, run_local)
            )
            return ToolResult(
                call=call,
                status="ok",
                text=found.text,
                images=tuple(store.put(image) for image in found.images),
                regions=tuple(_placed(region, store) for region in found.regions),
                measurements=tuple(found.measurements),
                seconds=time.perf_counter() - started,
                tool_version=version,
            )
        except ToolRetry as error:
            return failure("retry", str(error))
        except ToolException as error:
            return failure("failed", str(error))
        except Exception:
            _log.exception("the tool %s has a bug", call.name)
            return failure("bug", f"{call.name} failed on our side, not because of your call. Go on without it.")

    def _arguments(self, call: ToolCall, image_count: int) -> tuple[BaseTool, dict[str, Any]]:
        tool = find_tool(call, self._tools)
        return tool, validated_arguments(tool, call, image_count, self._models[call.name])


def _placed(region: Region, store: ImageStore) -> Region:
    """The region with the size of the image that it lies in, so that what it covers can be told without pixels."""
    if region.image not in store or (region.section is not None and region.section.plane != "acquired"):
        return region
    return region.model_copy(update={"image_size": store.get(region.image).size})


def _around(tool: BaseTool, wrappers: Sequence[Wrapper], deadline_s: float) -> list[Wrapper]:
    """What goes around the calls of `tool`, the first outermost."""
    own: Sequence[Wrapper] = getattr(tool, "wrappers", ())
    chosen = [each for each in (*wrappers, *own) if tool.name in _names(each, [tool.name])]
    chosen += [WarmUp(warm_up)] if (warm_up := getattr(tool, "warm_up", None)) is not None else []
    return [*chosen, Deadline(getattr(tool, "deadline_s", None) or deadline_s)]


def _first_step(wrappers: Sequence[Wrapper]) -> Step:
    """The first step of a call."""

    async def innermost(call: Invocation) -> Any:
        return await call.run(call)

    step: Step = innermost
    for wrapper in reversed(wrappers):
        step = wrapped(step, wrapper)
    return step


def _names(wrapper: Wrapper, all_tools: Iterable[str]) -> Iterable[str]:
    """The tools that `wrapper` is meant for."""
    return getattr(wrapper, "names", ()) or all_tools


def _check_names(wrapper: Wrapper, tools: Mapping[str, BaseTool]) -> None:
    for name in _names(wrapper, tools):
        if name not in tools:
            near = difflib.get_close_matches(name, tools, n=3, cutoff=0.5)
            raise ValueError(
                f"Got a wrapper for the tool {name!r}, expected one of {', '.join(tools)}."
                + (f" Did you mean {' or '.join(near)}?" if near else "")
            )
