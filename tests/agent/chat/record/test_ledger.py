"""The ledger, with masks, positions and faults worked by hand. 9 is the image placeholder."""

import json
import math
from dataclasses import replace

import pytest

from agent.chat.record.ledger import Ledger, LedgerError, Placed, Sampled, agrees
from agent.encoder import Grid, Span
from agent.policies.policy import Completion
from tests.ledgers import said, shown

PAD = 9
SMALL: Grid = (1, 4, 4)
WIDE: Grid = (1, 2, 4)
PLACEHOLDERS = {SMALL: 4, WIDE: 2}


def completion(*ids: int, prompt: int | None = None, versions: tuple[str, ...] = ("v1",)) -> Completion:
    return Completion(ids, tuple(-0.1 * token for token in ids), "stop", versions, prompt)


def episode() -> Ledger:
    """prompt 1 [9999] 2 | sampled 5 6 7 | observation 3 [99] 4 | sampled 8."""
    ledger = shown(Ledger(), [1, PAD, PAD, PAD, PAD, 2], [Span(1, 4, SMALL)], ["first"])
    ledger = said(ledger, completion(5, 6, 7, prompt=6))
    ledger = shown(ledger, [3, PAD, PAD, 4], [Span(1, 2, WIDE)], ["second"])
    return said(ledger, completion(8, prompt=13, versions=("v1", "v2")))


def test_ids_ranges_and_images_by_hand() -> None:
    ledger = episode()
    assert ledger.ids == (1, 9, 9, 9, 9, 2, 5, 6, 7, 3, 9, 9, 4, 8)
    assert len(ledger) == 14
    assert [(turn.start, turn.end, turn.versions) for turn in ledger.sampled] == [
        (6, 9, ("v1",)),
        (13, 14, ("v1", "v2")),
    ]
    assert ledger.images == (Placed("first", 1, 4, SMALL), Placed("second", 10, 2, WIDE))


def test_only_what_was_sampled_trains() -> None:
    assert episode().loss_mask() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1]
    expected = [0, 0, 0, 0, 0, 0, -0.5, -0.6, -0.7, 0, 0, 0, 0, -0.8]
    assert episode().logprobs() == pytest.approx(expected)


def test_a_prompt_of_another_length_is_refused() -> None:
    with pytest.raises(LedgerError, match="a prompt of 7 tokens, the ledger holds 2"):
        agrees(2, completion(3, prompt=7))


def test_a_missing_log_probability_is_refused() -> None:
    with pytest.raises(LedgerError, match="1 log-probabilities for 2 sampled ids"):
        agrees(0, Completion((1, 2), (0.0,), "stop", ("v1",), None))


def test_a_checkpoint_holds_it_whole() -> None:
    plain = json.loads(json.dumps(episode().to_plain()))
    assert Ledger.from_plain(plain) == episode()
    assert plain["ids"] == list(episode().ids)


def test_a_range_says_which_call_it_was() -> None:
    start, *_ = episode().sampled
    ledger = replace(episode(), sampled=(replace(start, sample="sample-1", node="read"),))
    plain = json.loads(json.dumps(ledger.to_plain()))
    assert plain["sampled"] == [
        [6, 9, [-0.5, pytest.approx(-0.6), pytest.approx(-0.7)], ["v1"], "stop", "sample-1", "read"]
    ]
    assert Ledger.from_plain(plain) == ledger


def test_an_unknown_log_probability_stays_unknown() -> None:
    ledger = said(Ledger(), Completion((1, 2), (math.nan, math.nan), "stop", ("chat",), None))
    assert all(math.isnan(value) for value in Ledger.from_plain(ledger.to_plain()).logprobs())


def test_a_sound_ledger_has_no_faults() -> None:
    assert list(episode().faults(PAD, PLACEHOLDERS)) == []


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (replace(episode(), images=()), ["6 placeholder ids, of which the images cover 0"]),
        (replace(episode(), images=episode().images[:1]), ["6 placeholder ids, of which the images cover 4"]),
        (
            replace(episode(), images=(Placed("first", 2, 4, SMALL), episode().images[1])),
            ["image first at 2 does not cover a run of 4 placeholders"],
        ),
        (
            replace(episode(), images=(Placed("first", 1, 4, WIDE), episode().images[1])),
            ["image first has 4 placeholders, its grid (1, 2, 4) takes 2"],
        ),
        (
            replace(episode(), images=(Placed("first", 1, 4, (1, 8, 8)), episode().images[1])),
            ["image first has 4 placeholders, its grid (1, 8, 8) takes None"],
        ),
        (
            replace(episode(), images=(episode().images[0], Placed("second", 13, 2, WIDE))),
            ["image second at 13 does not cover a run of 2 placeholders"],
        ),
        (
            replace(episode(), sampled=(Sampled(6, 9, (0.0, 0.0), ("v1",), "stop"),)),
            ["sampled range 6-9 has 2 log-probabilities"],
        ),
        (
            replace(episode(), sampled=(Sampled(6, 6, (), ("v1",), "stop"),)),
            ["sampled range 6-6 is empty, overlaps or lies outside 14 ids"],
        ),
        (
            replace(episode(), sampled=(episode().sampled[0], Sampled(8, 9, (0.0,), ("v1",), "stop"))),
            ["sampled range 8-9 is empty, overlaps or lies outside 14 ids"],
        ),
        (
            replace(episode(), sampled=(Sampled(13, 15, (0.0, 0.0), ("v1",), "stop"),)),
            ["sampled range 13-15 is empty, overlaps or lies outside 14 ids"],
        ),
        (
            replace(episode(), sampled=(Sampled(9, 11, (0.0, 0.0), ("v1",), "stop"),)),
            ["sampled range 9-11 holds an image placeholder"],
        ),
    ],
)
def test_every_disagreement_is_named(broken: Ledger, told: list[str]) -> None:
    assert list(broken.faults(PAD, PLACEHOLDERS)) == told


def test_several_faults_are_all_named() -> None:
    broken = replace(episode(), images=(), sampled=(Sampled(1, 3, (0.0,), ("v1",), "stop"),))
    assert len(list(broken.faults(PAD, PLACEHOLDERS))) == 3
