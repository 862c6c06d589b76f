"""The episodes that one task is sampled for at once: all fresh, or half of them forks of the others (EVR).

The group's size is exact. An episode that is refused is sampled again in its place, a fork from the same call.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agent.chat.record.episode import Episode
from agent.encoder import Encoder
from rl.config import Config
from rl.rollout.evr import Branching, Call, calls_of, chosen

Result = TypeVar("Result")
"""What is made of an episode; carries the episode where it can be forked."""


async def sample_group(
    size: int,
    fresh: Callable[[], Awaitable[Result]],
    fork: Callable[[Result, Call], Awaitable[Result]],
    calls: Callable[[Result], list[Call]],
    branching: Branching | None,
    random: random.Random,
) -> list[Result]:
    """`size` results. With `branching`, half are fresh (the larger half), and calls of these are forked.

    `calls` gives the calls that a fresh one may be forked at; `random` draws which are.
    """
    if branching is None:
        return list(await asyncio.gather(*(fresh() for _ in range(size))))
    forks = size // 2
    first = list(await asyncio.gather(*(fresh() for _ in range(size - forks))))
    branches = chosen([(each, call) for each in first for call in calls(each)], forks, branching, random)
    second = [fork(parent, call) for parent, call in branches]
    rest = [fresh() for _ in range(forks - len(second))]
    return [*first, *await asyncio.gather(*second, *rest)]


def branching_of(config: Config) -> Branching | None:
    """How a run's calls branch; None where they do not."""
    asked = config.rl.regrounding
    return Branching(asked.base, asked.gamma, asked.first, asked.alternatives) if asked.enabled else None


def calls_of_episode(episode: Episode, encoder: Encoder, branching: Branching) -> list[Call]:
    """All calls of an episode that was sampled with entropies, in order."""
    vocabulary = len(encoder.tokenizer)
    return [call for turn in episode.own for call in calls_of(turn, encoder.decode, vocabulary, branching)]
