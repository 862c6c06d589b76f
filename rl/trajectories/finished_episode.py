"""What an episode leaves in the gym: the graph's answer, and the tokens and calls that it was made of."""

from typing import Any, Literal

from agent.answer import Answer

OUT_OF_TIME: Literal["out_of_time"] = "out_of_time"
"""The outcome of an episode that its deadline cut."""
UNREADABLE: Literal["unreadable"] = "unreadable"
"""Of one in which a structured answer could not be read: it was cut by the limit of its tokens, as a rule."""
BUG: Literal["bug"] = "bug"
"""Of one that a bug in its graph ended."""


class FinishedEpisode(Answer):
    """A finished episode, as rewards and records read it."""

    rows: list[dict[str, Any]]
    """Its training rows (agent/chat/record/rows.py), each a ledger as plain data: at least one."""
    untrained: list[dict[str, Any]]
    """As `rows`, of the calls that are not to be trained (a grammar held them, or nobody picked them)."""
    made: list[dict[str, Any]]
    """The calls of the policy: id of the sample, node, whether it trains, ids that were sampled."""
    bug: str
    """What ended it, where that was a bug of its graph; else empty."""
