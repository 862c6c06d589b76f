"""A part of a view that shows a part of one original, upright, turned or mirrored.

An ordinary view is one panel; pictures laid side by side are several, and what no panel covers (a gap, a plot) shows
nothing of any original. So "which part of the scan is that?" has the right answer, several, or none, never a wrong one.
A panel's place is given in shares of the view: a view that is enlarged keeps its panels.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tools.geometry import PixelBox

Shares = tuple[float, float, float, float]
"""x1, y1, x2, y2 of a part of a view, each 0 (left, top) to 1 (right, bottom)."""

WHOLE: Shares = (0.0, 0.0, 1.0, 1.0)

_SLIVER = 1e-9
"""A share that is an error of arithmetic, not a part of a view."""


@dataclass(frozen=True)
class Section:
    """Which pictures of a volume, or which frames of a film, an image shows."""

    plane: str
    """acquired: slices or frames in the file's order; axial, coronal, sagittal: made from all of them."""

    first: int
    last: int
    """Numbers from 1; the same for one slice, apart for a projection through several."""

    def __str__(self) -> str:
        which = f"slice {self.first}" if self.first == self.last else f"slices {self.first} to {self.last}"
        return which if self.plane == "acquired" else f"{self.plane} {which}"


@dataclass(frozen=True)
class Panel:
    """What a rectangle of a view shows."""

    source: str
    """Id of the original."""

    box: PixelBox
    """The part of the original: x1, y1, x2, y2 in its pixels; of a volume, in those of its section."""

    at: Shares = WHOLE
    """Where in the view it is seen."""

    quarters: int = 0
    """Quarter turns clockwise, 0 to 3, after `mirrored`, by which the original was brought to be seen so."""

    mirrored: bool = False
    """Left for right, before it was turned."""

    section: Section | None = None
    """Where the original is a volume (a series of slices, a film of frames): which of them is seen."""

    @property
    def on_its_side(self) -> bool:
        """Whether the original's rows run down the view."""
        return self.quarters % 2 == 1

    def cropped(self, part: Shares) -> "Panel | None":
        """The panel in a view of `part` alone; None where it does not lie in it. A point lies in a panel around it."""
        left, top = max(part[0], self.at[0]), max(part[1], self.at[1])
        right, bottom = min(part[2], self.at[2]), min(part[3], self.at[3])
        least_across, least_down = min(_SLIVER, part[2] - part[0]), min(_SLIVER, part[3] - part[1])
        if right - left < least_across or bottom - top < least_down:
            return None
        seen = (left, top, right, bottom)
        return replace(self, box=self._in_source(_within(seen, self.at)), at=_within(seen, part))

    def placed(self, at: Shares) -> "Panel":
        """The panel in a larger view, of which this one fills the rectangle `at`."""
        left, top, right, bottom = at
        x1, y1, x2, y2 = self.at
        across, down = right - left, bottom - top
        return replace(self, at=(left + x1 * across, top + y1 * down, left + x2 * across, top + y2 * down))

    def turned(self, quarters: int, mirrored: bool) -> "Panel":
        """The panel in the view mirrored left for right (if `mirrored`) and then turned clockwise."""
        at, before = self.at, self.quarters
        if mirrored:
            at, before = (1 - at[2], at[1], 1 - at[0], at[3]), -before
        for _ in range(quarters % 4):
            at = (1 - at[3], at[0], 1 - at[1], at[2])
        return replace(self, at=at, quarters=(before + quarters) % 4, mirrored=self.mirrored != mirrored)

    def to_dict(self) -> dict[str, Any]:
        """JSON values; `from_dict` turns them back."""
        whole: dict[str, Any] = {"source": self.source, "box": list(self.box), "at": list(self.at)}
        if self.quarters or self.mirrored:
            whole |= {"quarters": self.quarters, "mirrored": self.mirrored}
        return {**whole, **({"section": asdict(self.section)} if self.section else {})}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Panel":
        """Raises KeyError, TypeError or ValueError where `values` are not what `to_dict` writes."""
        section = values.get("section")
        return cls(
            source=str(values["source"]),
            box=_four_numbers(values["box"]),
            at=_four_numbers(values.get("at", WHOLE)),
            quarters=int(values.get("quarters", 0)) % 4,
            mirrored=bool(values.get("mirrored", False)),
            section=section and Section(str(section["plane"]), int(section["first"]), int(section["last"])),
        )

    def _in_source(self, part: Shares) -> PixelBox:
        """A part of this panel (shares of the panel) in the original's pixels, to a millionth of one."""
        x1, y1, x2, y2 = part
        for _ in range(self.quarters):  # back, anticlockwise
            x1, y1, x2, y2 = y1, 1 - x2, y2, 1 - x1
        if self.mirrored:
            x1, x2 = 1 - x2, 1 - x1
        left, top, right, bottom = self.box
        across, down = right - left, bottom - top
        edges = left + x1 * across, top + y1 * down, left + x2 * across, top + y2 * down
        return (round(edges[0], 6), round(edges[1], 6), round(edges[2], 6), round(edges[3], 6))


def _within(part: Shares, around: Shares) -> Shares:
    """`part`, in shares of `around` instead of the view."""
    left, top, right, bottom = around
    across, down = right - left or 1.0, bottom - top or 1.0
    x1, y1, x2, y2 = part
    return (x1 - left) / across, (y1 - top) / down, (x2 - left) / across, (y2 - top) / down


def _four_numbers(values: Any) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(each) for each in values)
    return x1, y1, x2, y2
