"""Which graphs there are: a module of `graphs` each, and what installed packages name.

A graph is a factory `(model, tools)`: from a chat model and tools (or a Toolbox) it makes a compiled graph. What else
it takes by keyword (`turns`, `checkpointer`) it is given. An entry point of the group `medvista.graphs` names a
factory, or a module that defines one named `factory`; the entry's name is the graph's.
"""

import sys
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from langchain_core.language_models import FakeListChatModel

from graphs.app.source import FACTORY, GraphSource
from tools.discovery import check_free, installed, modules

ENTRY_POINT_GROUP = "medvista.graphs"


@cache
def graphs() -> dict[str, GraphSource]:
    """The graphs by name, sorted. Raises EntryPointError, or ValueError for two of one name."""
    found = {each.__name__.rpartition(".")[2]: each for each in modules("graphs") if _own_factory(each)}
    sources = {name: GraphSource(name, module, module.factory) for name, module in found.items()}
    expected = f"a function (model, tools), or a module that defines one named {FACTORY}"
    for name, loaded in installed(ENTRY_POINT_GROUP, expected, lambda each: isinstance(_factory(each), FunctionType)):
        make = _factory(loaded)
        check_free("graph", name, make, sources[name].make if name in sources else None)
        sources[name] = GraphSource(name, sys.modules[make.__module__], make)
    return dict(sorted(sources.items()))


def _own_factory(module: ModuleType) -> bool:
    """Whether a factory is the module's own, not one that it imports."""
    return getattr(_factory(module), "__module__", None) == module.__name__


def _factory(loaded: Any) -> Any:
    return getattr(loaded, FACTORY, None) if isinstance(loaded, ModuleType) else loaded


def summary(source: GraphSource) -> str:
    """The first line of what a graph's module says of it."""
    return (source.module.__doc__ or "").strip().partition("\n")[0]


def draw(source: GraphSource) -> str:
    """The graph as Mermaid text."""
    return str(drawable(source).draw_mermaid())


def drawable(source: GraphSource) -> Any:
    """LangGraph's drawable form of the graph."""
    return empty(source).get_graph()


def empty(source: GraphSource) -> Any:
    """The graph with nobody in it, to be looked at and not run."""
    return source.compiled(FakeListChatModel(responses=[]), ())
