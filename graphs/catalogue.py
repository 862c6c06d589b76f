"""Which graphs there are, and what each looks like. A graph is a module of this package that defines `build`."""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from tools.images.store import ImageStore


def graphs() -> dict[str, ModuleType]:
    """The graphs' modules by name, sorted."""
    found = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    modules = {name: importlib.import_module(f"graphs.{name}") for name in found if not name.startswith("_")}
    return {name: module for name, module in modules.items() if _defines_build(module)}


def _defines_build(module: ModuleType) -> bool:
    """Whether `build` is the module's own, not one that it imports."""
    return getattr(getattr(module, "build", None), "__module__", None) == module.__name__


def summary(module: ModuleType) -> str:
    """The first line of a graph's docstring."""
    return (module.__doc__ or "").strip().partition("\n")[0]


def draw(module: ModuleType) -> str:
    """The graph as Mermaid text."""
    return str(drawable(module).draw_mermaid())


def drawable(module: ModuleType) -> Any:
    """LangGraph's drawable form of the graph. Nothing is run, so it is built with nobody in it."""
    nobody = cast(Any, None)
    factory = getattr(module, "factory", None)
    if factory is not None:
        return factory(nobody, ()).get_graph()
    return module.build(nobody, (), encoder=nobody, store=ImageStore(".")).get_graph()
