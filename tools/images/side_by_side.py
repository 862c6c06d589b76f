"""Several pictures as one, which knows what each of its parts shows, and how large a millimetre is there.

Its coordinates are its own: a later call may name any part of it, and is told in the originals (`Provenance.panels`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.images.facts import CalibratedRegion, Facts
from tools.images.image import MedicalImage
from tools.images.provenance import Panel, Provenance

GAP = 4
"""Pixels between two pictures."""


@dataclass(frozen=True)
class Shown:
    """A picture that becomes a part of a larger one."""

    picture: NDArray[np.uint8]
    """(height, width) or (height, width, 3)."""

    view: MedicalImage | None
    """What all of the picture shows, at whatever size; None for a plot."""


def side_by_side(parts: Sequence[Shown]) -> MedicalImage:
    """The pictures at one height, on black, a white line between: an image that knows what each of its parts shows.

    It has no spacing of its own; where a view has one, its part is a calibrated region.
    """
    grey = all(part.picture.ndim == 2 for part in parts)
    pictures = [part.picture if grey else _in_colour(part.picture) for part in parts]
    pixels = strip(pictures)
    height, width = pixels.shape[:2]
    panels: list[Panel] = []
    regions: list[CalibratedRegion] = []
    left = 0
    for part, picture in zip(parts, pictures, strict=True):
        down, across = picture.shape[:2]
        if part.view is not None:
            place = left / width, 0.0, (left + across) / width, down / height
            panels += [panel.placed(place) for panel in part.view.origin().panels]
            regions += [each.moved(left) for each in _calibrated(part.view, across, down)]
        left += across + GAP
    views = [part.view for part in parts if part.view is not None]
    windows, modalities = {each.display_window for each in views}, {each.facts.modality for each in views}
    return MedicalImage(
        pixels,
        provenance=Provenance(
            views[0].origin().source, tuple(panels), window=windows.pop() if len(windows) == 1 else None
        ),
        facts=Facts(modality=modalities.pop() if len(modalities) == 1 else "", regions=tuple(regions)),
    )


def _calibrated(view: MedicalImage, across: int, down: int) -> tuple[CalibratedRegion, ...]:
    """Where, in a picture of `view` of this width and height, there is which spacing."""
    facts = view.facts
    if view.spacing is not None:
        facts = Facts(regions=(CalibratedRegion((0, 0, *view.size), view.spacing),))
    return facts.scaled(across / view.width, down / view.height).regions


def _in_colour(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)


def strip(panels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The pictures (all grey or all colour) side by side at one height, on black, a white line between."""
    height = max(panel.shape[0] for panel in panels)
    parts: list[NDArray[np.uint8]] = []
    for panel in panels:
        if parts:
            gap = np.zeros((height, GAP, *panel.shape[2:]), np.uint8)
            gap[:, 1:-1] = 255
            parts.append(gap)
        below = np.zeros((height - panel.shape[0], *panel.shape[1:]), np.uint8)
        parts.append(np.concatenate([panel, below]))
    return np.concatenate(parts, axis=1)
