"""What an episode leaves in the gym: the graph's answer, and the tokens and calls that it was made of."""

from typing import Any

from agent.answer import Answered


class Played(Answered):
    """A finished episode, as rewards and records read it."""

    rows: list[dict[str, Any]]
    """Its training rows (agent/chat/record/rows.py), each a ledger as plain data: at least one."""
    untrained: list[dict[str, Any]]
    """As `rows`, of the calls that are not to be trained (a grammar held them, or nobody picked them)."""
    made: list[dict[str, Any]]
    """The calls of the policy: id of the sample, node, whether it trains, ids that were sampled."""
    bug: str
    """What ended it, where that was a bug of its graph; else empty."""
