"""The trajectory check: tokens, masks and pixels must agree before an episode may train anything.

Refused, with the reason, and never repaired in silence: a placeholder run that does not match its image's grid, pixels
that do not match the grid, a sampled range without its log-probabilities, sampled image placeholders, an episode of a
scripted or chat policy (no log-probabilities of its own) where importance weights are needed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.chat.record.ledger import Ledger
from agent.encoder import Encoder, Grid, joined
from tools.images.store import ImageStore


class RefusedError(ValueError):
    """A trajectory that must not train; the message says why."""


@dataclass(frozen=True)
class TrainingRow:
    """What a trainer takes: one exact token sequence with its mask and its pixels."""

    ids: list[int]
    mask: list[int]
    """1 where the policy sampled."""
    logprobs: list[float]
    mm: dict[str, Any]
    """What the model takes beside the ids: tensors of all images, by name; empty without images."""


def training_row(
    ledger: Ledger, encoder: Encoder, store: ImageStore, scored: bool = True, idle: bool = False
) -> TrainingRow:
    """The row of a sound ledger. Raises RefusedError otherwise, ImageError for an image that is missing or damaged.

    `scored`: log-probabilities are needed (RL); without, scripted episodes pass (warm-up). `idle`: nothing in it
    may be sampled (an episode none of whose calls train).
    """
    seen = [encoder.mm_inputs([store.get(placed.image).display()]) for placed in ledger.images]
    refuse_unsound(ledger, encoder, [encoder.grid_of(each) for each in seen], scored, idle)
    return TrainingRow(
        ids=list(ledger.ids),
        mask=ledger.loss_mask(),
        logprobs=ledger.logprobs(),
        mm=joined(seen),
    )


def refuse_unsound(
    ledger: Ledger,
    encoder: Encoder,
    grids: Sequence[Grid],
    scored: bool = True,
    idle: bool = False,
) -> None:
    """Raises RefusedError for a ledger that must not train; `grids`: of its images by their pixels."""
    placeholders = {placed.grid: encoder.placeholders(placed.grid) for placed in ledger.images}
    faults = list(ledger.faults(encoder.image_pad, placeholders))
    if not idle and not ledger.sampled:
        faults.append("nothing in it was sampled")
    if scored and any(not math.isfinite(value) or value > 0 for turn in ledger.sampled for value in turn.logprobs):
        faults.append("a log-probability is not a number of at most 0")
    for placed, grid in zip(ledger.images, grids, strict=True):
        if grid != placed.grid:
            faults.append(f"the pixels of image {placed.image[:12]} have grid {grid}, expected {placed.grid}")
    if faults:
        raise RefusedError(f"Trajectory refused: {'; '.join(faults)}.")
