"""The vLLM engine inside OpenRLHF's rollout actor, as a policy.

The engine counts the prompt it saw after it expanded the images, so a disagreement with the record is caught at the
turn where it arises. How to sample is said anew for every turn: OpenRLHF's own SamplingParams give only their type.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from PIL.Image import Image

from agent.policies.policy import Completion, PolicyError, Sampling, entropy
from agent.policies.sampling_params import sampling_params


class Engine(Protocol):
    """What OpenRLHF hands to an executor as `llm_engine`."""

    async def generate(self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: Any = None) -> Any:
        """vLLM's RequestOutput for a prompt with one placeholder per image."""
        ...


class EnginePolicy:
    """Samples turns from an engine."""

    def __init__(self, engine: Engine, sampling_params: object, version: Callable[[], str]) -> None:
        """`sampling_params`: OpenRLHF's own, of vLLM's type."""
        self._engine = engine
        self._params_type: Callable[..., Any] = type(sampling_params)
        self._version = version

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """One turn. Raises PolicyError where the engine gives none, or no log-probabilities."""
        fields = sampling_params(sampling)
        if sampling.structure is not None:
            from vllm.sampling_params import StructuredOutputsParams

            fields["structured_outputs"] = StructuredOutputsParams(structural_tag=sampling.structure)
        params = self._params_type(**fields)
        before = self._version()
        pictures = {"image": [image.convert("RGB") for image in images]} if images else None
        output = await self._engine.generate(list(token_ids), params, multi_modal_data=pictures)
        if output is None or not output.outputs:
            raise PolicyError("The engine returned no output, expected one completion: see the rollout actor's log.")
        sampled = output.outputs[0]
        if sampled.logprobs is None:
            raise PolicyError("The engine returned no log-probabilities; is its logprobs setting off?")
        if sampled.finish_reason not in ("stop", "length"):
            raise PolicyError(
                f"The engine ended a turn by {sampled.finish_reason!r}, expected 'stop' or 'length': 'abort' means "
                "that its weights were changed while it sampled; ask again."
            )
        ids = tuple(int(token) for token in sampled.token_ids)
        known = [at[token] for token, at in zip(ids, sampled.logprobs, strict=False) if token in at]
        if not len(known) == len(ids) == len(sampled.logprobs):
            got = f"{len(known)} log-probabilities for {len(ids)} sampled ids"
            raise PolicyError(f"The engine gave {got}, expected one for each.")
        logprobs = tuple(float(at.logprob) for at in known)
        likeliest = (sorted((each.logprob for each in at.values()), reverse=True) for at in sampled.logprobs)
        after = self._version()
        return Completion(
            token_ids=ids,
            logprobs=logprobs,
            finish_reason=sampled.finish_reason,
            versions=(before,) if before == after else (before, after),
            prompt_tokens=len(output.prompt_token_ids),
            entropies=tuple(entropy(each[: sampling.alternatives]) for each in likeliest)
            if sampling.alternatives
            else (),
        )
