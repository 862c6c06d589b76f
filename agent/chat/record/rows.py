"""What an episode leaves for training: rows of tokens, and the calls that they come from.

A row is one sequence of tokens exactly as a policy read and sampled it. A conversation without branches gives one row;
each branch, fork, edit or agent with a prompt of its own gives another. What several rows begin with is trained in one
of them and masked in the others, so no sampled token is trained twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from agent.chat.record.ledger import Ledger, Placed, Sampled
from agent.chat.record.policy_calls import PolicyCall
from agent.chat.record.positions import Position, Turn


@dataclass(frozen=True)
class Row:
    """One training row."""

    ledger: Ledger
    """The whole sequence; `ledger.sampled` are the ranges to train, all else is masked."""
    calls: tuple[PolicyCall, ...]
    """The call behind each of `ledger.sampled`, in the same order."""


def row(last: Position, picked: Collection[str]) -> Row | None:
    """The sequence up to `last` that trains the samples `picked`, cut behind the last of them; None if it has none."""
    path = last.path()
    trained = [number for number, at in enumerate(path) if _trains(at, picked)]
    if not trained:
        return None
    calls = tuple(cast(Turn, path[number].turn).call for number in trained)
    return Row(ledger(path[: trained[-1] + 1], picked), calls)


def ledger(path: Sequence[Position], picked: Collection[str]) -> Ledger:
    """The tokens of a path of positions; all but the samples `picked` is context."""
    ids: list[int] = []
    sampled: list[Sampled] = []
    placed: list[Placed] = []
    for at in path:
        start = len(ids)
        ids.extend(at.tokens.ids)
        for image, span in zip(at.images, at.tokens.spans, strict=True):
            placed.append(Placed(image, start + span.start, span.length, span.grid))
        if _trains(at, picked):
            sampled.append(_sampled(cast(Turn, at.turn), start))
    return Ledger(tuple(ids), tuple(sampled), tuple(placed))


def _trains(at: Position, picked: Collection[str]) -> bool:
    return at.turn is not None and at.turn.call.sample in picked and at.sampled


def _sampled(turn: Turn, start: int) -> Sampled:
    """The range of a turn that begins at `start`, without what a fork kept of its parent's."""
    done, call = turn.completion, turn.call
    return Sampled(
        start=start + turn.kept,
        end=start + len(done.token_ids),
        logprobs=tuple(done.logprobs[turn.kept :]),
        versions=done.versions,
        finish_reason=done.finish_reason,
        sample=call.sample,
        node=call.node,
    )
