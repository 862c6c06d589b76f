"""How sure a policy was of its answer: the probability of the answer's own tokens, given what it had seen and thought.

The thought before it is not counted, so a long one does not make an answer look doubtful. A policy that gives no
log-probabilities (chat models) has no confidence of this kind; the agreement of several samples stands in for it.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

from agent.chat.record.ledger import Ledger
from agent.encoder import Encoder
from rl.trajectories.record import Trajectory

OPEN, CLOSE, THOUGHT = "<answer>", "</answer>", "</think>"


def answer_probability(trajectory: Trajectory, encoder: Encoder) -> float | None:
    """0 to 1; None where there is no answer, no conversation ends with it, or nobody knows its log-probabilities.

    Where several conversations of a graph end with the answer, the last one counts that is trained.
    """
    if trajectory.answer is None:
        return None
    for row in (*reversed(trajectory.rows), *reversed(trajectory.untrained)):
        ledger = Ledger.from_plain(row)
        if not ledger.sampled:
            continue
        turn = ledger.sampled[-1]
        ids = ledger.ids[turn.start : turn.end]
        text = encoder.decode(ids)
        opens = next((tag for tag in (OPEN, THOUGHT) if tag in text), "")  # a published model answers in plain words
        if trajectory.answer not in text[text.find(opens) + len(opens) :]:
            continue
        if any(math.isnan(value) for value in turn.logprobs):
            return None
        begin, end = (_first_prefix_with(tag, ids, encoder) for tag in (opens, CLOSE))
        return math.exp(math.fsum(turn.logprobs[begin:end]))
    return None


def _first_prefix_with(tag: str, ids: Sequence[int], encoder: Encoder) -> int:
    """The length of the shortest prefix of `ids` whose text holds `tag`; all of them where none does."""
    return bisect_left(range(len(ids)), True, key=lambda length: tag in encoder.decode(ids[:length]))
