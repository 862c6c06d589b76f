"""The trajectory check: a sound episode becomes a row, and each way of being unsound is refused by its name."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.chat.record.ledger import Ledger, Placed, Sampled
from agent.encoder import Encoder, Span
from agent.policies.policy import Completion
from rl.trajectories.check import RefusedError, training_row
from tests.ledgers import said, shown
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

GRID = (1, 8, 8)
PAD_RUN = 16
"""Placeholders of one 112 x 112 image: 8 * 8 patches, merged 2 x 2."""


@pytest.fixture
def pictures(store: ImageStore) -> list[str]:
    """A square picture, another one, and a broad one."""
    rng = np.random.default_rng(0)
    shapes = ((64, 64), (64, 64), (40, 120))
    return [store.put(MedicalImage(rng.integers(0, 255, shape, dtype=np.uint8))) for shape in shapes]


@pytest.fixture
def sound(encoder: Encoder, pictures: list[str]) -> Ledger:
    """ids 9, image (16), 9 | sampled 5 6 | image (16), 9 | sampled 7."""
    run = [encoder.image_pad] * PAD_RUN
    ledger = shown(Ledger(), [9, *run, 9], [Span(1, PAD_RUN, GRID)], pictures[:1])
    ledger = said(ledger, Completion((15, 16), (-0.5, -0.25), "stop", ("v",), 18))
    ledger = shown(ledger, [*run, 9], [Span(0, PAD_RUN, GRID)], pictures[1:2])
    return said(ledger, Completion((17,), (-1.0,), "stop", ("v",), 37))


def test_the_row_of_a_sound_ledger(sound: Ledger, encoder: Encoder, store: ImageStore, pictures: list[str]) -> None:
    row = training_row(sound, encoder, store)
    pad = encoder.image_pad
    assert row.ids == [9, *[pad] * 16, 9, 15, 16, *[pad] * 16, 9, 17]
    assert row.mask == [0] * 18 + [1, 1] + [0] * 17 + [1]
    assert row.logprobs == [0.0] * 18 + [-0.5, -0.25] + [0.0] * 17 + [-1.0]
    assert set(row.mm) == {"image_grid_thw", "pixel_values"}
    assert row.mm["image_grid_thw"].tolist() == [[1, 8, 8], [1, 8, 8]]
    assert row.mm["pixel_values"].shape == (128, 1176)  # 2 * 64 patches of 3 channels * 2 frames * 14 * 14
    second = encoder.mm_inputs([store.get(pictures[1]).display()])
    assert (row.mm["pixel_values"][64:] == second["pixel_values"]).all()


def test_an_episode_without_images_has_no_pixels(encoder: Encoder, store: ImageStore) -> None:
    ledger = said(shown(Ledger(), [9]), Completion((15,), (-0.5,), "stop", ("v",), 1))
    row = training_row(ledger, encoder, store)
    assert (row.ids, row.mask, row.mm) == ([9, 15], [0, 1], {})


def with_turn(ledger: Ledger, number: int, **changes: Any) -> Ledger:
    turns = list(ledger.sampled)
    turns[number] = replace(turns[number], **changes)
    return replace(ledger, sampled=tuple(turns))


def with_image(ledger: Ledger, number: int, **changes: Any) -> Ledger:
    images = list(ledger.images)
    images[number] = replace(images[number], **changes)
    return replace(ledger, images=tuple(images))


def with_id(ledger: Ledger, place: int, token: int) -> Ledger:
    ids = list(ledger.ids)
    ids[place] = token
    return replace(ledger, ids=tuple(ids))


PAD = -1
"""Stands for the placeholder id in the corruptions below."""
Corrupt = Callable[[Ledger, Sequence[str]], Ledger]


@pytest.mark.parametrize(
    ("corrupt", "said"),
    [
        (lambda ledger, _: with_id(ledger, 5, 15), r"at 1 does not cover a run of 16 placeholders"),
        (lambda ledger, _: with_image(ledger, 0, start=2), r"at 2 does not cover a run of 16 placeholders"),
        (lambda ledger, _: with_image(ledger, 1, length=12), r"has 12 placeholders, its grid \(1, 8, 8\) takes 16"),
        (lambda ledger, _: with_image(ledger, 1, grid=(1, 8, 10)), r"16 placeholders, its grid \(1, 8, 10\) takes 20"),
        (lambda ledger, _: with_id(ledger, 17, PAD), "33 placeholder ids, of which the images cover 32"),
        (
            lambda ledger, _: replace(ledger, images=ledger.images[:1]),
            "32 placeholder ids, of which the images cover 16",
        ),
        (lambda ledger, _: with_turn(ledger, 0, end=18), "sampled range 18-18 is empty, overlaps"),
        (
            lambda ledger, _: with_turn(ledger, 1, end=99),
            "sampled range 37-99 is empty, overlaps or lies outside 38 ids",
        ),
        (lambda ledger, _: with_turn(ledger, 1, start=19), "sampled range 19-38 is empty, overlaps"),
        (lambda ledger, _: with_turn(ledger, 0, logprobs=(-0.5,)), "sampled range 18-20 has 1 log-probabilities"),
        (lambda ledger, _: with_id(ledger, 19, PAD), "sampled range 18-20 holds an image placeholder"),
        (lambda ledger, _: replace(ledger, sampled=()), "nothing in it was sampled"),
        (lambda ledger, _: with_turn(ledger, 0, logprobs=(-0.5, math.nan)), "not a number of at most 0"),
        (lambda ledger, _: with_turn(ledger, 0, logprobs=(-0.5, -math.inf)), "not a number of at most 0"),
        (lambda ledger, _: with_turn(ledger, 0, logprobs=(0.25, -0.5)), "not a number of at most 0"),
        # 40 x 120 pixels become 4 x 14 patches at the area of 112 x 112
        (lambda ledger, pictures: with_image(ledger, 0, image=pictures[2]), r"expected \(1, 8, 8\)"),
    ],
)
def test_an_unsound_ledger_is_refused_with_the_reason(
    sound: Ledger, encoder: Encoder, store: ImageStore, pictures: list[str], corrupt: Corrupt, said: str
) -> None:
    corrupted = corrupt(sound, pictures)
    ids = tuple(encoder.image_pad if token == PAD else token for token in corrupted.ids)
    with pytest.raises(RefusedError, match=said):
        training_row(replace(corrupted, ids=ids), encoder, store)


def test_every_fault_is_named_at_once(sound: Ledger, encoder: Encoder, store: ImageStore) -> None:
    twice = with_turn(with_image(sound, 1, length=12), 0, logprobs=(0.25, -0.5))
    with pytest.raises(RefusedError) as raised:
        training_row(twice, encoder, store)
    assert "has 12 placeholders" in str(raised.value) and "a log-probability" in str(raised.value)


def test_a_demonstration_may_be_imitated_without_log_probabilities(
    sound: Ledger, encoder: Encoder, store: ImageStore
) -> None:
    unknown = with_turn(sound, 0, logprobs=(math.nan, math.nan))
    assert training_row(unknown, encoder, store, scored=False).mask == sound.loss_mask()


def test_the_pieces_of_a_ledger_are_what_they_are_taken_for(sound: Ledger, pictures: list[str]) -> None:
    assert sound.images == (Placed(pictures[0], 1, 16, GRID), Placed(pictures[1], 20, 16, GRID))
    assert sound.sampled[1] == Sampled(37, 38, (-1.0,), ("v",), "stop")
