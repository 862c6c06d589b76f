"""How long an episode may grow: its turns, the tokens of each, and the tokens of a whole conversation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How long an episode may grow."""

    turns: int = 6
    turn_tokens: int = 256
    context: int = 2048
