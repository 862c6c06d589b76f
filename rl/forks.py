"""Episodes that can be forked: from a LangGraph checkpoint, the turn's beginning kept id by id, the rest sampled anew.

A fork's ledger is whole: the ids that it shares with its parent stand in it with their log-probabilities and versions.
`own_from` says where its own begin; what lies before was sampled once and trains once, in the parent.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from langgraph.types import StateSnapshot
from PIL.Image import Image

from agent.policies.policy import Completion, Policy, Sampling
from agent.question import Overrides, Question
from rl.played import Played
from graphs.reasoning import ReasoningGraph

Invoke = Callable[..., Awaitable[Played]]


@dataclass
class Watched:
    """A policy for one episode that notes its completions."""

    policy: Policy
    completions: list[Completion] = field(default_factory=list[Completion])

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The policy's completion."""
        completion = await self.policy.generate(token_ids, images, sampling)
        self.completions.append(completion)
        return completion


@dataclass
class Continued:
    """A policy whose first completion begins with ids that were sampled before."""

    policy: Policy
    begun: Completion
    """The completion whose beginning is kept."""
    kept: int
    """How many of its ids."""
    started: bool = False

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The kept ids and what the policy writes after them; from the second time on the policy's own completion."""
        if self.started:
            return await self.policy.generate(token_ids, images, sampling)
        self.started = True
        ids = self.begun.token_ids[: self.kept]
        rest = replace(sampling, max_tokens=sampling.max_tokens - self.kept)
        new = await self.policy.generate([*token_ids, *ids], images, rest)
        return Completion(
            token_ids=ids + new.token_ids,
            logprobs=self.begun.logprobs[: self.kept] + new.logprobs,
            finish_reason=new.finish_reason,
            versions=tuple(dict.fromkeys(self.begun.versions + new.versions)),
            prompt_tokens=None if new.prompt_tokens is None else new.prompt_tokens - self.kept,
            entropies=self.begun.entropies[: self.kept] + new.entropies,
        )


@dataclass(frozen=True)
class Episode:
    """A finished episode, and what a fork of it needs."""

    state: Played
    completions: tuple[Completion, ...]
    """One a turn."""
    checkpoints: tuple[StateSnapshot, ...]
    """Before each turn."""
    own_from: int = 0
    """The first id of its ledger that no other episode trains."""


async def fresh(
    graph: ReasoningGraph, question: Question, overrides: Overrides, thread: str, limit: dict[str, Any]
) -> Episode:
    """An episode from the beginning, under a thread of its own; `graph` must have a checkpointer."""
    watched = Watched(_policy(overrides))
    config = {"configurable": {"thread_id": thread}, **limit}
    invoke = cast(Invoke, graph.ainvoke)  # pyright: ignore[reportUnknownMemberType]
    state = await invoke(question, config, context=replace(overrides, policy=watched))
    before: dict[int, StateSnapshot] = {}
    async for snapshot in graph.aget_state_history(cast(Any, config)):
        if snapshot.next == ("reason",):
            before[snapshot.values.get("turns", 0)] = snapshot
    return Episode(state, tuple(watched.completions), tuple(before[turn] for turn in range(len(watched.completions))))


async def fork(
    graph: ReasoningGraph, parent: Episode, turn: int, kept: int, overrides: Overrides, limit: dict[str, Any]
) -> Episode:
    """An episode that shares `parent`'s first turns and `kept` ids of `turn` (from 1), and is sampled from there."""
    begun = parent.completions[turn - 1]
    watched = Watched(Continued(_policy(overrides), begun, kept))
    # a copy of the checkpoint, so that no fork reads what another one wrote
    copy = await graph.aupdate_state(parent.checkpoints[turn - 1].config, None, as_node="__copy__")
    invoke = cast(Invoke, graph.ainvoke)  # pyright: ignore[reportUnknownMemberType]
    state = await invoke(None, {**copy, **limit}, context=replace(overrides, policy=watched))
    start: int = parent.state["ledger"]["sampled"][turn - 1][0]
    completions = (*parent.completions[: turn - 1], *watched.completions)
    return Episode(state, completions, parent.checkpoints[:turn], own_from=start + kept)


def _policy(overrides: Overrides) -> Policy:
    if overrides.policy is None:
        raise ValueError("Got overrides without a policy, expected the one that samples this episode.")
    return overrides.policy
