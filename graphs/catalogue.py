"""Which graphs there are, how each is built, and what it looks like.

A graph is a module of this package that defines `build`, as graphs/reasoning.py does, or `factory(policy_model,
tools)`, which is given a chat model and returns a compiled graph.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from langchain_core.tools import BaseTool

from agent.encoder import Encoder
from agent.limits import Limits
from agent.policies.policy import Policy, Sampling
from graphs.model import chat_model
from graphs.reasoning import Checkpointer
from tools.images.store import ImageStore


def graphs() -> dict[str, ModuleType]:
    """The graphs' modules by name, sorted."""
    found = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    modules = {name: importlib.import_module(f"graphs.{name}") for name in found if not name.startswith("_")}
    return {
        name: module for name, module in modules.items() if _defines(module, "build") or _defines(module, "factory")
    }


def _defines(module: ModuleType, name: str) -> bool:
    """Whether a function is the module's own, not one that it imports."""
    return getattr(getattr(module, name, None), "__module__", None) == module.__name__


def compiled(
    module: ModuleType,
    policy: Policy,
    tools: Sequence[BaseTool],
    *,
    encoder: Encoder,
    store: ImageStore,
    limits: Limits | None = None,
    sampling: Sampling | None = None,
    checkpointer: Checkpointer = None,
) -> Any:
    """A module's graph, by its `build`, or by its `factory` and the chat model of these parts."""
    limits = limits or Limits()
    if _defines(module, "build"):
        parts: dict[str, Any] = {"encoder": encoder, "store": store, "limits": limits, "checkpointer": checkpointer}
        return module.build(policy, tools, **parts, **({"sampling": sampling} if sampling else {}))
    options: dict[str, Any] = {"turns": limits.turns, "checkpointer": checkpointer}
    taken = {name: value for name, value in options.items() if name in signature(module.factory).parameters}
    graph = module.factory(chat_model(policy, encoder, store, limits, sampling), tools, **taken)
    return graph if "checkpointer" in taken else graph.copy({"checkpointer": checkpointer})


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
    nobody = cast(Any, None)
    if _defines(module, "factory"):
        return module.factory(_Nobody(), ())
    return module.build(nobody, (), encoder=nobody, store=ImageStore("."))


class _Nobody:
    """In a chat model's place while a graph is drawn."""

    store = None
    family = None
