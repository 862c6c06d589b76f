"""What every policy is to the agent: prompt ids and images in, sampled ids with log-probabilities out.

The policies (served, engine, scripted) share only this file, so that a graph cannot tell them apart and a
trajectory sampled under one trains like one sampled under another. Ids, never text: text is rendered to ids once, by
the prompt encoder, and nothing here tokenises.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from PIL.Image import Image


class PolicyError(RuntimeError):
    """A policy could not answer: it is gone, it refused, or its answer is malformed.

    The message says what was got, what was expected and how to mend it.
    """


@dataclass(frozen=True)
class Sampling:
    """How one completion is sampled. Temperature 0 is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256
    """The most ids that may be sampled; fewer where the context ends earlier."""
    seed: int | None = None
    banned: tuple[int, ...] = ()
    """Ids that must never be sampled: the vision tokens, which would break every later forward pass."""
    min_p: float = 0.0
    """Tokens less probable than this share of the likeliest one are not sampled (min-p, arXiv 2407.01082)."""
    alternatives: int = 0
    """How many of the likeliest tokens' log-probabilities to look at; with some, a completion says its entropies."""
    stop: tuple[str, ...] = ()
    """Texts that end the completion where they are sampled; their ids are part of it. A policy may ignore them."""
    structure: str | None = None
    """A grammar that holds the sampling: an xgrammar structural tag, as JSON. A policy without grammars ignores it.

    The log-probabilities are then those of the distribution that the grammar leaves.
    """


@dataclass(frozen=True)
class Completion:
    """What a policy sampled for one prompt."""

    token_ids: tuple[int, ...]
    """The sampled ids, the stop token included where one was sampled."""
    logprobs: tuple[float, ...]
    """One natural log-probability for each sampled id, under the distribution it was sampled from.

    NaN where a policy cannot know (chat): such a turn may be imitated, never weighted by importance.
    """
    finish_reason: Literal["stop", "length"]
    versions: tuple[str, ...]
    """The policy versions that were live while it was sampled: one normally, two if weights were swapped in flight."""
    prompt_tokens: int | None
    """The prompt length that the server counted after it expanded the images; None where a policy does not count."""
    entropies: tuple[float, ...] = ()
    """For each sampled id the entropy, in nats, of the likeliest `Sampling.alternatives` tokens that could have stood
    there; empty where none were asked for."""


def entropy(logprobs: Iterable[float]) -> float:
    """-sum p ln p in nats over the given natural log-probabilities, which need not be all; 0 for impossible ones."""
    return -sum(math.exp(logprob) * logprob for logprob in logprobs if logprob > -math.inf)


class Policy(Protocol):
    """Anything that can write one turn. One that has `stream` as well is asked by it (agent/policies/streaming.py)."""

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """Sample one completion for a prompt.

        `token_ids` hold ONE placeholder for each image, in the order of `images`; engines expand it.
        Raises PolicyError where no complete answer can be had.
        """
        ...
