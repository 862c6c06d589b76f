"""Which graphs there are, how each is built, and what it looks like.

A graph is a module of `graphs` that defines `factory(model, tools)`, which is given a chat model and tools (or a
Toolbox) and returns a compiled graph. What else it takes by keyword (`turns`, `checkpointer`) it is given.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from inspect import signature
from types import ModuleType
from typing import Any

from langchain_core.language_models import FakeListChatModel
from langchain_core.tools import BaseTool

import graphs as package
from agent.chat.base import ImageChatModel
from agent.limits import Limits
from graphs.parts.state import Checkpointer
from tools.toolbox import Toolbox


def graphs() -> dict[str, ModuleType]:
    """The graphs' modules by name, sorted."""
    found = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg)
    modules = {name: importlib.import_module(f"graphs.{name}") for name in found if not name.startswith("_")}
    return {name: module for name, module in modules.items() if _defines_a_factory(module)}


def _defines_a_factory(module: ModuleType) -> bool:
    """Whether a factory is the module's own, not one that it imports."""
    return getattr(getattr(module, "factory", None), "__module__", None) == module.__name__


def compiled(
    module: ModuleType,
    model: ImageChatModel,
    tools: Sequence[BaseTool] | Toolbox,
    *,
    turns: int = Limits.turns,
    checkpointer: Checkpointer = None,
) -> Any:
    """A module's graph on a chat model."""
    options: dict[str, Any] = {"turns": turns, "checkpointer": checkpointer}
    taken = {name: value for name, value in options.items() if name in signature(module.factory).parameters}
    return module.factory(model, tools, **taken)


def summary(module: ModuleType) -> str:
    """The first line of a graph's docstring."""
    return (module.__doc__ or "").strip().partition("\n")[0]


def draw(module: ModuleType) -> str:
    """The graph as Mermaid text."""
    return str(drawable(module).draw_mermaid())


def drawable(module: ModuleType) -> Any:
    """LangGraph's drawable form of the graph."""
    return empty(module).get_graph()


def empty(module: ModuleType) -> Any:
    """The graph with nobody in it, to be looked at and not run."""
    return module.factory(FakeListChatModel(responses=[]), ())
