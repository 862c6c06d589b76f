"""The graph of a run, opened: found by its name, compiled with the run's parts, with what says how it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.tools import BaseTool

from agent.chat.base import ImageChatModel
from agent.chat.record.policy_calls import Pick, at_nodes, unguided, with_tags
from agent.chat.tools import for_messages
from graphs.app.adapters import Adapter, adapter_of
from graphs.app.loading import find_graph
from rl.config import TrainedCalls
from rl.trajectories.origin import Origin, origin_of
from tools.toolbox import Toolbox


@dataclass(frozen=True)
class OpenGraph:
    """A compiled graph that can be asked."""

    graph: Any
    """A CompiledStateGraph."""
    origin: Origin
    adapter: Adapter


def open_graph(name: str, model: ImageChatModel, tools: Sequence[BaseTool] | Toolbox, turns: int) -> OpenGraph:
    """The graph `name` (graphs/app/loading.py) on a chat model. Raises GraphError."""
    source = find_graph(name)
    held = tools if isinstance(tools, Toolbox) else Toolbox(tools)
    given = for_messages(held, model.image_store, why_not_shown=model.why_not_shown)
    graph = source.compiled(model, given, turns=turns)
    return OpenGraph(graph, origin_of(source.module, held.tools, source.name), adapter_of(name, source.module, graph))


def pick_of(trained: TrainedCalls) -> Pick:
    """Which calls train."""
    at, bearing = at_nodes(*trained.nodes), with_tags(*trained.tags)
    return (lambda call: at(call) or bearing(call)) if trained.nodes or trained.tags else unguided
