"""Ledgers that tests write by hand, as agent/chat/record/rows.py makes them of an episode's record."""

from collections.abc import Sequence
from dataclasses import replace

from agent.chat.record.ledger import Ledger, Placed, Sampled
from agent.encoder import Encoder, Span
from agent.policies.policy import Completion


def shown(ledger: Ledger, ids: Sequence[int], spans: Sequence[Span] = (), images: Sequence[str] = ()) -> Ledger:
    """The ledger with context behind it; `spans` are relative to `ids`, one for each of `images`."""
    placed = (
        Placed(image, len(ledger) + span.start, span.length, span.grid)
        for image, span in zip(images, spans, strict=True)
    )
    return replace(ledger, ids=(*ledger.ids, *ids), images=(*ledger.images, *placed))


def said(ledger: Ledger, completion: Completion) -> Ledger:
    """The ledger with a turn behind it."""
    start, ids = len(ledger), completion.token_ids
    turn = Sampled(start, start + len(ids), completion.logprobs, completion.versions, completion.finish_reason)
    return replace(ledger, ids=(*ledger.ids, *ids), sampled=(*ledger.sampled, turn))


def prompt_of(ledger: Ledger, encoder: Encoder) -> list[int]:
    """The ids as engines take them."""
    return encoder.prompt(ledger.ids, [Span(each.start, each.length, each.grid) for each in ledger.images])


def turns_in(ledgers: Sequence[Ledger], encoder: Encoder) -> list[list[str]]:
    """Per ledger the texts of what was sampled."""
    return [[encoder.decode_turn(row.ids[turn.start : turn.end]) for turn in row.sampled] for row in ledgers]
