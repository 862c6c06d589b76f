"""A policy's ids as they come, from one that streams or from one that does not."""

from collections.abc import AsyncIterator, Sequence

from PIL.Image import Image

from agent.policies.policy import Completion, Policy, Sampling


async def streamed(
    policy: Policy, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling
) -> AsyncIterator[Sequence[int] | Completion]:
    """Sampled ids as they come, at last the completion with all of them. Raises what the policy raises."""
    stream = getattr(policy, "stream", None)
    if stream is not None:
        async for item in stream(token_ids, images, sampling):
            yield item
        return
    completion = await policy.generate(token_ids, images, sampling)
    yield completion.token_ids
    yield completion
