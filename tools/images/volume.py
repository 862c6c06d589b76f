"""Many slices, or frames, that belong together: the measured values and how the slices lie in the patient.

A volume is no image of its own kind: a `MedicalImage` carries it and shows its middle slice, so it is stored, named and
numbered as any image is, and every tool for pictures works on what is shown.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tools.errors import ImageError

Direction = tuple[float, float, float]
"""A unit vector in the patient: to the left, to the back, to the head (DICOM's axes)."""

Directions = tuple[Direction, Direction, Direction]
"""Where the next slice, the next row and the next column lie."""

Plane = Literal["axial", "coronal", "sagittal"]

_PLANE_NORMAL: dict[Plane, int] = {"axial": 2, "coronal": 1, "sagittal": 0}
"""The patient axis (0: left, 1: back, 2: head) that stands upright on each plane."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Slices in order. Raises ImageError where they make no sense."""

    voxels: NDArray[Any]
    """(slices, height, width) or (slices, height, width, 3); made read-only."""

    slice_spacing: float | None = None
    """Millimetres from slice to slice; None where unknown, uneven, or where the slices are frames in time."""

    directions: Directions | None = None
    """None where the file does not say how the slices lie."""

    def __post_init__(self) -> None:
        voxels = self.voxels
        if voxels.ndim not in (3, 4) or (voxels.ndim == 4 and voxels.shape[3] != 3) or 0 in voxels.shape:
            raise ImageError(
                f"Got voxels of shape {voxels.shape}, expected (slices, height, width) or (slices, height, width, 3), "
                "none of them 0. Give one volume, e.g. one time point of a series."
            )
        if voxels.flags.writeable or not voxels.flags.c_contiguous or not voxels.dtype.isnative:
            voxels = np.array(voxels, dtype=voxels.dtype.newbyteorder("="), order="C")
            voxels.setflags(write=False)
            object.__setattr__(self, "voxels", voxels)
        if self.slice_spacing is not None:
            object.__setattr__(self, "slice_spacing", float(self.slice_spacing))
            if not 0 < self.slice_spacing < float("inf"):
                raise ImageError(f"Got a slice spacing of {self.slice_spacing} mm, expected a number above 0, or None.")
        if self.directions is not None:
            if np.shape(self.directions) != (3, 3) or not np.isfinite(self.directions).all():
                raise ImageError("Got directions that are not three vectors of three numbers; expected those, or None.")
            vectors = tuple(tuple(float(each) for each in vector) for vector in self.directions)
            object.__setattr__(self, "directions", vectors)

    @property
    def count(self) -> int:
        """How many slices."""
        return int(self.voxels.shape[0])

    @property
    def middle(self) -> int:
        """The number, from 1, of the slice that stands for the volume."""
        return self.count // 2 + 1

    def slice(self, number: int) -> NDArray[Any]:
        """The pixels of a slice, numbered from 1."""
        return self.voxels[number - 1]


@dataclass(frozen=True)
class Layout:
    """How a plane's pictures are taken from voxels: axes in the order (through the plane, down, across)."""

    axes: tuple[int, int, int]
    """0: slices, 1: rows, 2: columns."""

    reversed: tuple[bool, bool, bool]
    tilt: float
    """Degrees between the plane and the nearest one of the patient; 0 for a straight scan."""


ACQUIRED = Layout((0, 1, 2), (False, False, False), 0.0)

EDGES: dict[Plane, tuple[str, str]] = {"axial": ("L", "P"), "coronal": ("L", "F"), "sagittal": ("P", "F")}
"""Where the right and the lower edge of a plane's picture lie, as radiologists hang them."""


def layout(directions: Directions, plane: Plane) -> Layout:
    """The voxel axes nearest to the patient's for a plane: nothing is interpolated, an oblique scan is said to be one.

    Pictures hang as in radiology: the patient's right (sagittal: front) on the left side, front or head on top. They
    are numbered from the feet to the head, from front to back, from right to left.
    """
    matrix = np.asarray(directions)  # [voxel axis, patient axis]
    axis_of = max(itertools.permutations(range(3)), key=lambda order: sum(abs(matrix[order[p], p]) for p in range(3)))
    normal = _PLANE_NORMAL[plane]
    down, down_sign = (1, 1) if plane == "axial" else (2, -1)
    across = 1 if plane == "sagittal" else 0
    wanted = ((normal, 1), (down, down_sign), (across, 1))
    axes = tuple(axis_of[patient] for patient, _ in wanted)
    turned = tuple(bool(matrix[axis_of[patient], patient] * sign < 0) for patient, sign in wanted)
    vectors = [matrix[axis_of[patient]] for patient in (down, across)]
    upright = np.cross(vectors[0], vectors[1])
    length = float(np.linalg.norm(upright))
    tilt = float(np.degrees(np.arccos(min(1.0, abs(upright[normal]) / length)))) if length > 0 else 0.0
    return Layout((axes[0], axes[1], axes[2]), (turned[0], turned[1], turned[2]), tilt)


def slab(voxels: NDArray[Any], how: Layout, first: int, last: int) -> NDArray[Any]:
    """The voxels of the pictures `first` to `last` (from 1), a view as (pictures, down, across[, 3])."""
    arranged = voxels.transpose(*how.axes, *range(3, voxels.ndim))
    arranged = arranged[tuple(slice(None, None, -1) if turned else slice(None) for turned in how.reversed)]
    return arranged[first - 1 : last]


def letter(vector: Sequence[float]) -> str:
    """The side of the patient that a vector points to most."""
    axis = max(range(3), key=lambda each: abs(vector[each]))
    return ("LR", "PA", "HF")[axis][vector[axis] < 0]
