"""What a tool call in another process needs and gives: how the tool is found there, and how its outcome comes back.

A tool is named by its module and its name in it, not sent: its function stands under the decorator's name, which pickle
refuses, and code that is there already needs no sending. Exceptions come back as words: a class may not exist here.
"""

import asyncio
import importlib
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

from langchain_core.tools import BaseTool, ToolException

from tools.calls import ToolCall
from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.run.execution import evidence, evidence_async, is_asynchronous
from tools.run.validation import validated_arguments

T = TypeVar("T")


@dataclass(frozen=True)
class Reference:
    """Where a tool is found."""

    module: str
    name: str

    def find(self) -> BaseTool:
        """The tool. Raises ImportError or AttributeError where it is not there."""
        return getattr(importlib.import_module(self.module), self.name)


def refer(tool: BaseTool) -> Reference:
    """How another process finds `tool`. Raises TypeError for one that it could not import."""
    home: Any = getattr(tool, "func", None) or getattr(tool, "coroutine", None) or type(tool)
    module = str(home.__module__)
    for name, value in vars(sys.modules[module]).items():
        if value is tool and module != "__main__":
            return Reference(module, name)
    raise TypeError(
        f"Got the tool {tool.name} of {module}, expected a name of an importable module: another process cannot find "
        "it. Define it at the top of a module of its own."
    )


def loaded(reference: Reference) -> BaseTool:
    """The tool, there, warmed up."""
    tool = reference.find()
    if (warm_up := getattr(tool, "warm_up", None)) is not None:
        warm_up()
    return tool


def found_by(tool: BaseTool, call: ToolCall, images: Sequence[MedicalImage]) -> Evidence:
    """What `tool` finds, there; not yet checked. Raises what it raises."""
    arguments = validated_arguments(tool, call, len(images))
    if is_asynchronous(tool):
        return asyncio.run(evidence_async(tool, arguments, images))
    return evidence(tool, arguments, images)


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What came of something that was done elsewhere."""

    status: Literal["ok", "retry", "failed", "bug"]
    words: str = ""
    """The error's; of a bug, its traceback."""

    value: T | None = None
    spoilt: bool = False
    """Whether the process can no longer be relied on."""

    def open(self) -> T:
        """The value. Raises ToolRetry, ToolFailed, or RuntimeError for a bug."""
        match self.status:
            case "ok":
                return cast("T", self.value)
            case "retry":
                raise ToolRetry(self.words)
            case "failed":
                raise ToolFailed(self.words)
            case "bug":
                raise RuntimeError(f"in another process:\n{self.words}")


def attempt(function: Callable[[], T]) -> Outcome[T]:
    """What comes of `function()`."""
    try:
        return Outcome("ok", value=function())
    except ToolRetry as error:
        return Outcome("retry", _sendable(str(error)))
    except ToolException as error:
        return Outcome("failed", _sendable(str(error)))
    except MemoryError:
        return Outcome("failed", "It needed more memory than it may have.", spoilt=True)
    except BaseException:  # the process has no other caller: whatever it is goes to the one who waits
        return Outcome("bug", _sendable(traceback.format_exc()))


def _sendable(words: str) -> str:
    """Without halves of surrogate pairs, which no encoding has."""
    return words.encode(errors="replace").decode()
