"""Who answers the calls of a fork: what its parent sampled comes again, one turn is gone on with, all else is new."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from PIL.Image import Image

from agent.chat.record.positions import Turn
from agent.policies.policy import Completion, Policy, Sampling
from agent.policies.streaming import streamed


@dataclass(frozen=True)
class Replayed:
    """A policy that gives what was sampled before."""

    turn: Turn

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The completion."""
        del token_ids, images, sampling
        return self.turn.completion


@dataclass(frozen=True)
class Continued:
    """A policy that goes on behind the first ids of what was sampled before."""

    policy: Policy
    turn: Turn
    """What was sampled before."""
    kept: int
    """How many of its ids."""

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The kept ids and what the policy samples behind them."""
        return self._joined(await self.policy.generate(*self._behind(token_ids, images, sampling)))

    async def stream(
        self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling
    ) -> AsyncIterator[Sequence[int] | Completion]:
        """As `generate`: the kept ids, those that are sampled as they come, and all together."""
        yield self.turn.completion.token_ids[: self.kept]
        async for item in streamed(self.policy, *self._behind(token_ids, images, sampling)):
            yield self._joined(item) if isinstance(item, Completion) else item

    def _behind(
        self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling
    ) -> tuple[Sequence[int], Sequence[Image], Sampling]:
        room = sampling.max_tokens - self.kept
        if room < 1:
            raise ValueError(
                f"Got a fork that keeps {self.kept} ids of a turn, expected fewer than the {sampling.max_tokens} that "
                "a turn may have here; fork earlier, or allow longer turns."
            )
        return [*token_ids, *self.turn.completion.token_ids[: self.kept]], images, replace(sampling, max_tokens=room)

    def _joined(self, new: Completion) -> Completion:
        begun, kept = self.turn.completion, self.kept
        return Completion(
            token_ids=begun.token_ids[:kept] + new.token_ids,
            logprobs=begun.logprobs[:kept] + new.logprobs,
            finish_reason=new.finish_reason,
            versions=tuple(dict.fromkeys((begun.versions if kept else ()) + new.versions)),
            prompt_tokens=None if new.prompt_tokens is None else new.prompt_tokens - kept,
            entropies=begun.entropies[:kept] + new.entropies,
        )
