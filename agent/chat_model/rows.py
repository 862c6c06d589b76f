"""What an episode leaves for training: rows of tokens, and the calls that they come from.

A row is one sequence of tokens exactly as a policy read and sampled it. A conversation without branches gives one row;
each branch, fork, edit or agent with a prompt of its own gives another. What several rows begin with is trained in one
of them and masked in the others, so no sampled token is trained twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.chat_model.calls import PolicyCall
from agent.chat_model.positions import Position
from agent.ledger import Ledger, Placed, Sampled


@dataclass(frozen=True)
class Row:
    """One training row."""

    ledger: Ledger
    """The whole sequence; `ledger.sampled` are the ranges to train, all else is masked."""
    calls: tuple[PolicyCall, ...]
    """The call behind each of `ledger.sampled`, in the same order."""
    masked: tuple[PolicyCall, ...]
    """Calls whose tokens stand here as context: trained in another row, not picked, or quoted."""


def row(last: Position, picked: Collection[str]) -> Row | None:
    """The sequence up to `last` that trains the samples `picked`, cut behind the last of them; None if it has none."""
    path = last.path()
    trained = [at for at in path if at.turn is not None and at.sampled and at.turn.call.sample in picked]
    if not trained:
        return None
    path = path[: path.index(trained[-1]) + 1]
    return Row(
        ledger=ledger(path, trained),
        calls=tuple(at.turn.call for at in trained if at.turn is not None),
        masked=tuple(at.turn.call for at in path if at.turn is not None and at not in trained),
    )


def ledger(path: Sequence[Position], trained: Sequence[Position]) -> Ledger:
    """The tokens of a path of positions; what is not `trained` is context."""
    ids: list[int] = []
    sampled: list[Sampled] = []
    placed: list[Placed] = []
    for at in path:
        start = len(ids)
        ids.extend(at.tokens.ids)
        for image, span in zip(at.images, at.tokens.spans, strict=True):
            placed.append(Placed(image, start + span.start, span.length, span.grid))
        if at in trained and at.turn is not None:
            done = at.turn.completion
            sampled.append(Sampled(start, len(ids), tuple(done.logprobs), done.versions, done.finish_reason))
    return Ledger(tuple(ids), tuple(sampled), tuple(placed))
