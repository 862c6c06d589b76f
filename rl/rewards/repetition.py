"""repetition: how much of what a policy writes it has written before, in four levels; give it a negative weight.

VISTA-Gym (arXiv 2511.19773) scores repetition in four levels. The limits here are ours: the share of a policy's
four-word sequences, turn by turn, that occurred before, or of its calls that repeat an earlier one exactly, whichever
is more.
"""

import json
from collections.abc import Hashable, Sequence

from agent.chat.turn_reader import Piece, Reader
from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode

LIMITS = (0.1, 0.3, 0.6)
"""Shares up to which it is none, some and much; above the last it is nearly all."""
WORDS = 4
FEWEST = 12
"""Sequences below which nothing is told from them: a short thought may be said twice."""


@component
def repetition(task: Task, state: FinishedEpisode) -> float:
    """0, 1/3, 2/3 or 1: none, some, much, nearly all of it repeated."""
    share = max(_share(_sequences(state), FEWEST), _share(_calls(state), 2))
    return sum(share > limit for limit in LIMITS) / len(LIMITS)


def _share(items: Sequence[Hashable], fewest: int) -> float:
    return 1 - len(set(items)) / len(items) if len(items) >= fewest else 0.0


def _sequences(state: FinishedEpisode) -> list[tuple[str, ...]]:
    """The word sequences of the policy's turns, without the calls' JSON, whose form repeats by right."""
    found: list[tuple[str, ...]] = []
    for message in state.get("transcript", []):
        if message["role"] == "policy":
            words = _words(message["text"]).lower().split()
            found += [tuple(words[start : start + WORDS]) for start in range(len(words) - WORDS + 1)]
    return found


def _words(text: str) -> str:
    reader = Reader()
    return " ".join(piece.text for piece in [*reader.feed(text), *reader.close()] if isinstance(piece, Piece))


def _calls(state: FinishedEpisode) -> list[str]:
    return [json.dumps(call["call"], sort_keys=True) for call in state.get("calls", [])]
