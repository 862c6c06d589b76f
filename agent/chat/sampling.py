"""How one call is sampled: what the call itself asks for, else its run's config, else the episode, else the model.

A call that samples from another distribution than its episode is not trained by default, so that is told too.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.policies.policy import Sampling
from agent.policies.served import ContextFull
from agent.question import sampling_fields

SAMPLING_OPTIONS = ("temperature", "top_p", "min_p", "max_tokens", "seed")
"""What a call may ask for."""
SAMPLING_KEY = "sampling"
"""Where `config["configurable"]` may say how one run of a graph samples: a Sampling, or a mapping of some fields."""


def sampling_of(
    options: Mapping[str, Any], configurable: Mapping[str, Any], otherwise: Sampling, context: int, length: int
) -> Sampling:
    """How to sample behind `length` ids where `context` are the most: `options` of the call go before `configurable`
    of its run, and both before `otherwise`. Raises QuestionError; ContextFull where no id fits."""
    if length >= context:
        raise ContextFull(
            f"got a conversation of {length} ids, expected fewer than the context's {context}: "
            "summarise or drop messages, or raise `context`."
        )
    call = {name: options[name] for name in SAMPLING_OPTIONS if options.get(name) is not None}
    sampling = replace(otherwise, **{**sampling_fields(configurable.get(SAMPLING_KEY)), **call})
    return replace(sampling, max_tokens=min(sampling.max_tokens, context - length))


def differs(sampling: Sampling, episode: Sampling | None) -> bool:
    """Whether a call is sampled from another distribution than its episode's."""
    names = ("temperature", "top_p", "min_p", "seed")
    return episode is not None and any(getattr(sampling, name) != getattr(episode, name) for name in names)
