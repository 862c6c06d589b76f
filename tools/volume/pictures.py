"""From a volume to the picture of one of its planes: what the tools of this family share.

A picture's pixels are squares, as a policy expects: where slices lie farther apart than pixels, values in between are
interpolated linearly, and the picture's spacing says so. As acquired, pixels are left exactly as they were measured.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import ToolRetry
from tools.images.image import MedicalImage
from tools.images.provenance import Provenance, Section
from tools.images.volume import ACQUIRED, EDGES, Layout, Plane, Volume, layout

TILTED = 5.0
"""Degrees from which a plane is said to be oblique."""


def volume_in(image: MedicalImage, tool: str) -> Volume:
    """The volume that an image stands for. Raises ToolRetry for a picture."""
    if image.volume is None:
        section = image.origin().section
        which = f"{section} of a volume" if section else "one picture"
        raise ToolRetry(f"{tool}: got image {image.number}, which is {which}; expected the image of a whole volume.")
    return image.volume


def layout_in(image: MedicalImage, plane: Plane | None, tool: str) -> Layout:
    """How the pictures of a plane lie in the volume; None: as acquired. Raises ToolRetry where that is not known."""
    volume = volume_in(image, tool)
    if plane is None:
        return ACQUIRED
    if volume.directions is None or volume.slice_spacing is None or image.spacing is None:
        missing = "how its slices lie" if volume.directions is None else "how far apart its pixels and slices are"
        raise ToolRetry(
            f"{tool}: got plane {plane}, but image {image.number} does not say {missing}; look at its slices as they "
            f"are with show_slice (1 to {volume.count})."
        )
    return layout(volume.directions, plane)


def count_in(image: MedicalImage, how: Layout) -> int:
    """How many pictures a volume has that way."""
    return int(image.measured.shape[how.axes[0]])


def check_numbers(image: MedicalImage, how: Layout, first: int, last: int, tool: str) -> None:
    """Raises ToolRetry for slices that there are not, or in the wrong order."""
    count = count_in(image, how)
    if not 1 <= first <= last <= count:
        got = f"slice {first}" if first == last else f"slices {first} to {last}"
        raise ToolRetry(f"{tool}: got {got}, but image {image.number} has slices 1 to {count} that way.")


def picture_of(
    image: MedicalImage, plane: Plane | None, how: Layout, numbers: tuple[int, int], values: NDArray[Any]
) -> MedicalImage:
    """The picture with `values` (down, across[, 3]), made of the slices `numbers` (first, last) of a volume."""
    down, across = int(values.shape[0]), int(values.shape[1])
    spacing = _spacing(image, how)
    if spacing is not None and plane is not None:
        values = _squared(values, spacing)
        spacing = spacing[0] * down / values.shape[0], spacing[1] * across / values.shape[1]
    facts = image.facts
    return MedicalImage(
        np.ascontiguousarray(values),
        spacing=spacing,
        window=image.display_window,
        facts=facts if plane is None else type(facts)(facts.modality, facts.unit, EDGES[plane]),
        provenance=Provenance.of(
            image.id, (0.0, 0.0, float(across), float(down)), Section(plane or "acquired", *numbers)
        ),
    )


def oblique(how: Layout) -> str:
    """What to say of a plane that is not straight in the patient."""
    return f" The scan is oblique: the plane is tilted by {how.tilt:.0f} degrees." if how.tilt >= TILTED else ""


def _spacing(image: MedicalImage, how: Layout) -> tuple[float, float] | None:
    if image.spacing is None or image.volume is None:
        return None
    steps = (image.volume.slice_spacing, *image.spacing)
    down, across = steps[how.axes[1]], steps[how.axes[2]]
    return None if down is None or across is None else (down, across)


def _squared(values: NDArray[Any], spacing: tuple[float, float]) -> NDArray[Any]:
    """The same field of view with pixels as fine both ways as they are one way."""
    finest = min(spacing)
    for axis in (0, 1):
        values = _stretched(values, axis, max(1, round(values.shape[axis] * spacing[axis] / finest)))
    return values


def _stretched(values: NDArray[Any], axis: int, count: int) -> NDArray[Any]:
    """`values` with `count` pixels along an axis; the edges stay where they are, the middles are interpolated."""
    before = values.shape[axis]
    if count == before:
        return values
    at = np.clip((np.arange(count) + 0.5) * before / count - 0.5, 0, before - 1)
    low = np.floor(at).astype(np.intp)
    high = np.minimum(low + 1, before - 1)
    share = (at - low).reshape([-1 if each == axis else 1 for each in range(values.ndim)])
    between = np.take(values, low, axis).astype(np.float64) * (1 - share) + np.take(values, high, axis) * share
    return between.astype(values.dtype) if values.dtype.kind == "f" else np.rint(between).astype(values.dtype)
