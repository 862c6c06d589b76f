"""The calls that a graph makes of its policy, and which of them are to be trained."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class PolicyCall:
    """One call of the policy, as the graph made it."""

    sample: str
    """Id of what was sampled; the message carries it too."""
    node: str = ""
    """The graph's node that called (LangGraph's own metadata); empty outside a graph."""
    tags: tuple[str, ...] = ()
    """Tags of the call's config, those of the graph's run included."""
    namespace: str = ""
    """Where in nested graphs the node ran: LangGraph's checkpoint namespace, without its ids."""
    guided: bool = False
    """Whether a grammar held the sampling: its log-probabilities are then those of another distribution."""
    own_sampling: bool = False
    """Whether it asked for another temperature, top-p, min-p or seed than its episode has; the same holds."""


Pick = Callable[[PolicyCall], bool]
"""Whether a call is to be trained."""


def unguided(call: PolicyCall) -> bool:
    """The default: every call but those that were sampled otherwise than the episode, held by a grammar or at a
    temperature of their own: a trainer cannot reproduce their log-probabilities."""
    return not (call.guided or call.own_sampling)


def at_nodes(*nodes: str) -> Pick:
    """Picks the unguided calls of some nodes, wherever in nested graphs they lie."""
    return lambda call: unguided(call) and (call.node in nodes or any(at in nodes for at in call.namespace.split("|")))


def with_tags(*tags: str) -> Pick:
    """Picks the unguided calls that bear one of some tags."""
    return lambda call: unguided(call) and bool(set(tags) & set(call.tags))
