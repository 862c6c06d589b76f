"""Which tools there are, by name and by family.

A tool enters by being decorated (`@medical_tool`), so adding one is adding its file: the folders beside this file are
searched, and so is the entry point group `medvista.tools` of installed packages, whose entries name a LangChain tool or
a module that decorates some.
"""

import difflib
import pkgutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from langchain_core.tools import BaseTool

from tools.discovery import check_free, installed, modules

ENTRY_POINT_GROUP = "medvista.tools"
NO_TOOLS = ("tools.gallery", "tools.images", "tools.run", "tools.templates")
"""Folders beside this file that hold no tools."""

_tools: dict[str, BaseTool] = {}


def register(tool: BaseTool) -> None:
    """Makes `tool` loadable by its name. A second of that name is refused; the same one, defined again, is replaced."""
    before = _tools.get(tool.name)
    check_free("tool", tool.name, _function(tool), before and _function(before))
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
            modules(folder.name)
    expected = "a LangChain tool, or a module with functions that are @medical_tool"
    for _, loaded in installed(ENTRY_POINT_GROUP, expected, lambda each: isinstance(each, BaseTool | ModuleType)):
        if isinstance(loaded, BaseTool):
            register(loaded)


def _function(tool: BaseTool) -> Any:
    return getattr(tool, "func", None) or getattr(tool, "coroutine", None) or type(tool)
