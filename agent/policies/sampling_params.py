"""What vLLM is told of a `Sampling`, by the names of its SamplingParams: the same to a server and to a rollout engine.

Sampling is what was asked: whatever shapes a distribution is said in every request and nothing is left to defaults. So
a checkpoint's generation_config (top_k, repetition_penalty) and OpenRLHF's own `min_tokens=1`, which hides the end of a
turn from the turn's first token, change no log-probability that a trainer then computes otherwise.
"""

from typing import Any

from agent.policies.policy import Sampling

BAN = -100.0
"""The logit bias that bans an id: the lowest that the OpenAI and vLLM protocols allow."""
NEUTRAL: dict[str, float] = {
    "top_k": 0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "min_tokens": 0,
}
"""What nobody can ask for: the values that change nothing."""


def sampling_params(sampling: Sampling) -> dict[str, Any]:
    """The fields of vLLM's SamplingParams; all of them can be written as JSON."""
    params: dict[str, Any] = {
        **NEUTRAL,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "max_tokens": sampling.max_tokens,
        "logprobs": sampling.alternatives,  # beside the sampled token's
        "detokenize": False,
    }
    if sampling.seed is not None:
        params["seed"] = sampling.seed
    if sampling.stop:
        params |= {"stop": list(sampling.stop), "detokenize": True}
    if sampling.structure is not None:
        params["structured_outputs"] = {"structural_tag": sampling.structure}
    if sampling.banned:
        params["logit_bias"] = dict.fromkeys(sampling.banned, BAN)
    return params
