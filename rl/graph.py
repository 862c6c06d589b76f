"""The graph of a run, opened: found by its name, compiled with the run's parts, with what says how it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.chat_model.calls import Pick, at_nodes, unguided, with_tags
from agent.chat_model.tools import for_messages
from agent.encoder import Encoder
from agent.limits import Limits
from agent.policies.policy import Policy, Sampling
from graphs.adapters import Adapter, adapter_of
from graphs.loading import find_graph
from graphs.model import chat_model
from rl.config import REASONING, TrainedCalls
from rl.trajectories.origin import Origin, origin_of
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

GREEDY = Sampling(temperature=0.0)


@dataclass(frozen=True)
class OpenGraph:
    """A compiled graph that can be asked."""

    graph: Any
    """A CompiledStateGraph."""
    origin: Origin
    adapter: Adapter | None = None
    """Of a graph that speaks to a chat model; None for one that is made of the nodes of a turn."""


def open_graph(
    name: str,
    policy: Policy,
    tools: Sequence[BaseTool],
    *,
    encoder: Encoder,
    store: ImageStore,
    limits: Limits,
    sampling: Sampling = GREEDY,
    deadline_s: float = 20.0,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> OpenGraph:
    """The graph `name` (graphs/loading.py) on a policy. Raises GraphError."""
    source = find_graph(name)
    origin = origin_of(source.module, tools, source.name)
    options = {"limits": limits, "sampling": sampling, "turns": limits.turns, "checkpointer": checkpointer}
    given = {key: value for key, value in options.items() if value is not None}
    held = Toolbox(tools, deadline_s=deadline_s)
    if source.of_turns:
        shown = held if name == REASONING else tools
        return OpenGraph(source.compiled(policy, shown, encoder=encoder, store=store, **given), origin)
    model = chat_model(policy, encoder, store, limits, sampling)
    graph = source.compiled(model, for_messages(held, store, why_not_shown=model.why_not_shown), **given)
    return OpenGraph(graph, origin, adapter_of(name, source.module, graph))


def picked(trained: TrainedCalls) -> Pick:
    """Which calls train."""
    at, bearing = at_nodes(*trained.nodes), with_tags(*trained.tags)
    return (lambda call: at(call) or bearing(call)) if trained.nodes or trained.tags else unguided
