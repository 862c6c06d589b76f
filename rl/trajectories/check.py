"""The trajectory check: tokens, masks and pixels must agree before an episode may train anything.

Refused, with the reason, and never repaired in silence: a placeholder run that does not match its image's grid, pixels
that do not match the grid, a sampled range without its log-probabilities, sampled image placeholders, an episode of a
scripted or chat policy (no log-probabilities of its own) where importance weights are needed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.encoder import Encoder, Grid
from agent.ledger import Ledger
from tools.images.store import ImageStore

Patches = tuple[Grid, int]
"""What the image processor makes of an image: the grid, and the number of rows of pixels."""


class RefusedError(ValueError):
    """A trajectory that must not train; the message says why."""


@dataclass(frozen=True)
class TrainingRow:
    """What a trainer takes: one exact token sequence with its mask and its pixels."""

    ids: list[int]
    mask: list[int]
    """1 where the policy sampled."""
    logprobs: list[float]
    pixel_values: Any
    """Tensor (patches of all images, channels), None without images."""
    image_grid_thw: Any
    """Tensor (images, 3), None without images."""


def training_row(
    ledger: Ledger, encoder: Encoder, store: ImageStore, scored: bool = True, idle: bool = False
) -> TrainingRow:
    """The row of a sound ledger. Raises RefusedError otherwise, ImageError for an image that is missing or damaged.

    `scored`: log-probabilities are needed (RL); without, scripted episodes pass (warm-up). `idle`: nothing in it
    may be sampled (an episode none of whose calls train).
    """
    import torch

    seen = [encoder.pixels(store.get(placed.image).display()) for placed in ledger.images]
    patches = [(pixels.grid, len(pixels.values)) for pixels in seen]
    refuse_unsound(ledger, encoder, patches, scored, idle)
    return TrainingRow(
        ids=list(ledger.ids),
        mask=ledger.loss_mask(),
        logprobs=ledger.logprobs(),
        pixel_values=torch.cat([pixels.values for pixels in seen]) if seen else None,
        image_grid_thw=torch.tensor([placed.grid for placed in ledger.images]) if seen else None,
    )


def refuse_unsound(
    ledger: Ledger,
    encoder: Encoder,
    patches: Sequence[Patches],
    scored: bool = True,
    idle: bool = False,
) -> None:
    """Raises RefusedError for a ledger that must not train; `patches`: of each of its images. The rest as above."""
    placeholders = {placed.grid: encoder.placeholders(placed.grid) for placed in ledger.images}
    faults = list(ledger.faults(encoder.image_pad, placeholders))
    if not idle and not ledger.sampled:
        faults.append("nothing in it was sampled")
    if scored and any(not math.isfinite(value) or value > 0 for turn in ledger.sampled for value in turn.logprobs):
        faults.append("a log-probability is not a number of at most 0")
    for placed, (grid, rows) in zip(ledger.images, patches, strict=True):
        if grid != placed.grid or rows != math.prod(placed.grid):
            got = f"grid {grid} and {rows} patches"
            faults.append(f"image {placed.image[:12]} has {got}, expected {placed.grid}")
    if faults:
        raise RefusedError(f"Trajectory refused: {'; '.join(faults)}.")
