"""Running the tool calls of one turn: together, each with its deadline, each failure its own.

This is the one boundary where any exception of a tool becomes data. What the policy can mend comes back as `retry`,
what it cannot as `failed`; anything else is a `bug`: logged with its traceback, and told to the policy as our fault.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from langchain_core.tools import BaseTool, ToolException

from tools.calls import Status, ToolCall, ToolResult
from tools.deadline import DeadlinePassedError, in_loop, in_thread
from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.execution import evidence, evidence_async, is_asynchronous, keep
from tools.images.store import ImageStore, StoredImages
from tools.signature import prompt_line
from tools.validation import find_tool, validated_arguments

__all__ = ["ToolCall", "ToolResult", "Toolbox"]

_log = logging.getLogger(__name__)


class Toolbox:
    """The tools of one agent. Medical tools and any other LangChain tools; names must differ (ValueError)."""

    def __init__(self, tools: Sequence[BaseTool], deadline_s: float = 20.0, max_calls: int = 4) -> None:
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) != len(tools):
            raise ValueError(f"Got tools of the same name: {sorted(tool.name for tool in tools)}; expected each once.")
        self._prompt_section = "\n".join(prompt_line(tool) for tool in tools)
        self.deadline_s = deadline_s
        """Seconds that a call may take."""
        self.max_calls = max_calls
        """Calls of one turn that are run; the ones after are refused."""

    @property
    def names(self) -> tuple[str, ...]:
        """The tools' names, in the order they were given."""
        return tuple(self._tools)

    def prompt_section(self) -> str:
        """One line a tool: name, arguments, what it does."""
        return self._prompt_section

    def validate(self, call: ToolCall, image_count: int) -> None:
        """Raises ToolRetry for an unknown tool, a wrong argument or an image number outside 1..image_count."""
        validated_arguments(find_tool(call, self._tools), call, image_count)

    async def run(self, calls: Sequence[ToolCall], images: Sequence[str], store: ImageStore) -> list[ToolResult]:
        """The results of `calls`, in their order; all run at once. Raises nothing for what a tool does.

        `images` are the conversation's images as ids of `store`, number 1 first; what tools return is put there.
        """
        return list(await asyncio.gather(*(self._result(*each, images, store) for each in enumerate(calls, 1))))

    async def _result(self, place: int, call: ToolCall, images: Sequence[str], store: ImageStore) -> ToolResult:
        started = time.perf_counter()
        version = getattr(self._tools.get(call.name), "version", "")

        def failure(status: Status, text: str) -> ToolResult:
            seconds = time.perf_counter() - started
            return ToolResult(call=call, status=status, text=text, seconds=seconds, tool_version=str(version))

        try:
            if place > self.max_calls:
                raise ToolRetry(
                    f"Got call {place} of this turn, expected at most {self.max_calls}: repeat it in a later turn."
                )
            found, ids = await self._run(call, images, store)
            return ToolResult(
                call=call,
                status="ok",
                text=found.text,
                images=ids,
                regions=found.regions,
                measurements=found.measurements,
                seconds=time.perf_counter() - started,
                tool_version=str(version),
            )
        except ToolRetry as error:
            return failure("retry", str(error))
        except ToolException as error:
            return failure("failed", str(error))
        except DeadlinePassedError:
            return failure("failed", f"{call.name} did not finish in {self.deadline_s:g} s and was given up.")
        except Exception:
            _log.exception("the tool %s has a bug", call.name)
            return failure("bug", f"{call.name} failed on our side, not because of your call. Go on without it.")

    async def _run(self, call: ToolCall, images: Sequence[str], store: ImageStore) -> tuple[Evidence, tuple[str, ...]]:
        tool = find_tool(call, self._tools)
        arguments = validated_arguments(tool, call, len(images))
        stored = StoredImages(images, store)
        if not is_asynchronous(tool):
            return await in_thread(
                lambda: keep(evidence(tool, arguments, stored), tool, store), self.deadline_s, tool.name
            )
        until = time.perf_counter() + self.deadline_s
        found = await in_loop(evidence_async(tool, arguments, stored), self.deadline_s)
        return await in_thread(lambda: keep(found, tool, store), until - time.perf_counter(), tool.name)
