"""Which tools there are, by name and by family.

A tool enters by being decorated (`@medical_tool`), so adding one is adding its file: the folders beside this file are
searched, and so is the entry point group `medvista.tools` of installed packages, whose entries name a LangChain tool or
a module that decorates some.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from langchain_core.tools import BaseTool

ENTRY_POINT_GROUP = "medvista.tools"
NO_TOOLS = ("tools.gallery", "tools.images", "tools.run")
"""Folders beside this file that hold no tools."""

_tools: dict[str, BaseTool] = {}


def register(tool: BaseTool) -> None:
    """Makes `tool` loadable by its name. A second of that name is refused; the same one, defined again, is replaced."""
    before = _tools.get(tool.name)
    if before is not None and _home(before) != _home(tool):
        raise ValueError(
            f"Got a second tool named {tool.name!r}, from {_home(tool)}; expected one, there is {_home(before)}. "
            "Give one of them another name."
        )
    _tools[tool.name] = tool


def load_tools(names: Sequence[str] | None = None) -> list[BaseTool]:
    """The tools with these names or families, in this order and each once; without `names`, all, sorted by name.

    Raises ValueError for a name that is neither.
    """
    _discover()
    if names is None:
        return [_tools[name] for name in sorted(_tools)]
    chosen: dict[str, BaseTool] = {}
    for name in names:
        found = [_tools[name]] if name in _tools else _family(name)
        if not found:
            known = sorted({*_tools, *(family_of(tool) for tool in _tools.values())})
            near = difflib.get_close_matches(name, known, cutoff=0.5)
            raise ValueError(
                f"Got the tool name {name!r}, expected a tool or a family: {', '.join(known)}."
                + (f" Did you mean {' or '.join(near)}?" if near else "")
            )
        chosen.update((tool.name, tool) for tool in found)
    return list(chosen.values())


def family_of(tool: BaseTool) -> str:
    """The tool's family; "other" for tools that have none, such as plain LangChain tools."""
    return str(getattr(tool, "family", "other"))


def _family(family: str) -> list[BaseTool]:
    return [_tools[name] for name in sorted(_tools) if family_of(_tools[name]) == family]


@cache
def _discover() -> None:
    for folder in pkgutil.iter_modules([str(Path(__file__).parent)], "tools."):
        if folder.ispkg and folder.name not in NO_TOOLS:
            package = importlib.import_module(folder.name)
            for module in pkgutil.iter_modules(package.__path__, f"{folder.name}."):
                importlib.import_module(module.name)
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        _enter(entry)


def _enter(entry: EntryPoint) -> None:
    named = f"{entry.name} = {entry.value!r}" + (f" of the package {entry.dist.name}" if entry.dist else "")
    try:
        loaded: object = entry.load()
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"Got the entry point {named} ({ENTRY_POINT_GROUP}), which cannot be loaded: {error}. Mend that package or "
            "uninstall it."
        ) from error
    if isinstance(loaded, BaseTool):
        register(loaded)
    elif not isinstance(loaded, ModuleType):
        raise ValueError(
            f"Got the entry point {named} ({ENTRY_POINT_GROUP}), which is a {type(loaded).__name__}; expected a "
            "LangChain tool, or a module with functions that are @medical_tool."
        )


def _home(tool: BaseTool) -> str:
    function = getattr(tool, "func", None) or getattr(tool, "coroutine", None) or type(tool)
    return f"{function.__module__}.{function.__qualname__}"
