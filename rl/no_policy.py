"""Graphs that are opened without a policy: every episode brings its own, by its context."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import replace

from PIL.Image import Image

from agent.policies.policy import Completion, PolicyError, Sampling
from agent.question import Overrides

NOTHING = Overrides()
ASKED_WITH: ContextVar[Overrides] = ContextVar("asked_with", default=NOTHING)
"""What the episode at hand was asked with: any graph's nodes find it, whether or not the graph takes a run context."""


class NoPolicy:
    """Stands where every episode brings its own policy and sampling."""

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The episode's own policy's turn. Raises PolicyError where it brought none."""
        own = ASKED_WITH.get()
        if own.policy is None:
            raise PolicyError("this graph was opened without a policy: give one in Overrides.")
        wanted = own.sampling or sampling
        fitting = replace(wanted, max_tokens=sampling.max_tokens, banned=sampling.banned)
        return await own.policy.generate(token_ids, images, fitting)
