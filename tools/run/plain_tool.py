"""Calling a plain LangChain tool: by its function where nobody could tell the difference, else as LangChain does.

LangChain's `invoke` looks up signatures and types anew at each call, validates what was validated, and tells every step
to callbacks, which takes longer than many a tool. All of that is for someone only if the tool wants more than its
arguments (the config, injected values), handles errors or gives artifacts in LangChain's way, or if a callback listens
(a tracer, a stream of events). Where none of this is so, the function's own text is the answer.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from langchain_core.callbacks import CallbackManager
from langchain_core.messages import ToolMessage
from langchain_core.runnables.config import RunnableConfig, ensure_config
from langchain_core.tools import BaseTool, StructuredTool

from tools.errors import ToolFailed
from tools.evidence import Evidence
from tools.images.image import MedicalImage


def answer(tool: BaseTool, arguments: Mapping[str, Any], images: Sequence[MedicalImage]) -> Evidence:
    """What `tool` says for validated `arguments`. Raises what it raises; ToolFailed for an error that it handled."""
    if (function := _function(tool, "func", arguments)) is None:
        return _evidence_in(tool.invoke(_langchain_call(tool, arguments), _config(images)))
    said = function(**arguments)
    if type(said) is str:
        return Evidence(said)
    return _as_text(tool, arguments, said)


async def answer_async(tool: BaseTool, arguments: Mapping[str, Any], images: Sequence[MedicalImage]) -> Evidence:
    """As `answer`, for a tool that was written as a coroutine."""
    if (function := _function(tool, "coroutine", arguments)) is None:
        return _evidence_in(await tool.ainvoke(_langchain_call(tool, arguments), _config(images)))
    said = await cast("Awaitable[object]", function(**arguments))
    if type(said) is str:
        return Evidence(said)
    return _as_text(tool, arguments, said)


def _function(tool: BaseTool, kind: str, arguments: Mapping[str, Any]) -> Callable[..., object] | None:
    """The tool's function where calling it is all that LangChain would do, else None."""
    function: Callable[..., object] | None = getattr(tool, kind, None)
    if function is None or type(tool) is not StructuredTool or tool.response_format != "content":
        return None
    if tool.handle_tool_error or tool.handle_validation_error or _parameters(function) != frozenset(arguments):
        return None
    listening = CallbackManager.configure(
        ensure_config().get("callbacks"), tool.callbacks, tool.verbose, inheritable_tags=tool.tags
    )
    return None if listening.handlers else function


@lru_cache(maxsize=1024)
def _parameters(function: Callable[..., object]) -> frozenset[str] | None:
    try:
        return frozenset(inspect.signature(function).parameters)
    except ValueError:  # some functions written in C have none
        return None


def _as_text(tool: BaseTool, arguments: Mapping[str, Any], said: object) -> Evidence:
    """What LangChain makes of a value that is no text, as if the function had just returned it."""

    def again(**_: Any) -> object:
        return said

    formatted = tool.model_copy(update={"func": again, "coroutine": None})
    return _evidence_in(formatted.invoke(_langchain_call(tool, arguments)))


def _langchain_call(tool: BaseTool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "tool_call", "id": "1", "name": tool.name, "args": dict(arguments)}


def _config(images: Sequence[MedicalImage]) -> RunnableConfig:
    return {"configurable": {"images": images}}


def _evidence_in(message: object) -> Evidence:
    if not isinstance(message, ToolMessage):
        raise ToolFailed(f"The tool returned {type(message).__name__}, expected text.")
    if message.status == "error":
        raise ToolFailed(message.text)
    artifact: object = message.artifact
    return artifact if isinstance(artifact, Evidence) else Evidence(message.text)
