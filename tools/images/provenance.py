"""Where a derived image comes from: which parts of which originals it shows, the window, the operations.

Everything is said in terms of the originals, however many steps lie between, because people and rewards ask "which part
of the scan did it look at?". The operations hold name, version and arguments of each step, so that the image can be
made again bit by bit from the originals alone (`tools/remake.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from tools.errors import ImageError
from tools.geometry import PixelBox
from tools.images.panel import Panel, Section, Shares

__all__ = ["Operation", "Panel", "Provenance", "Section"]


@dataclass(frozen=True)
class Operation:
    """One step: a tool that was applied."""

    name: str
    version: str
    parameters: Mapping[str, Any]
    """The call's arguments as JSON values; an image argument is the id of that image."""

    output: int = 1
    """Which of the images that the tool returned is meant, from 1."""


@dataclass(frozen=True)
class Provenance:
    """The descent of one image from one or several originals."""

    source: str
    """Id of the original image (one that has no provenance itself) that the first operation began with."""

    panels: tuple[Panel, ...]
    """What is seen, and where; () where that is not known."""

    window: tuple[float, float] | None = None
    """Centre and width (the original's own values) burnt into all pixels; None where there is no such one."""

    operations: tuple[Operation, ...] = ()
    """In an order in which they can be done again: those of all images that the last one was applied to come first."""

    @classmethod
    def of(cls, source: str, box: PixelBox, section: Section | None = None) -> "Provenance":
        """A view of a part of one original, upright."""
        return cls(source, (Panel(source, box, section=section),))

    @property
    def box(self) -> PixelBox | None:
        """The part of the original that a view of one panel shows; None for one of several or none."""
        return self.panels[0].box if len(self.panels) == 1 else None

    @property
    def section(self) -> Section | None:
        """The section of a volume that a view of one panel shows."""
        return self.panels[0].section if len(self.panels) == 1 else None

    def cropped(self, size: tuple[int, int], box: PixelBox) -> "Provenance":
        """The provenance of the part `box` (pixels) of this image of `size` (width, height)."""
        width, height = size
        part: Shares = (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
        found = (panel.cropped(part) for panel in self.panels)
        return replace(self, panels=tuple(panel for panel in found if panel is not None))

    def turned(self, quarters: int, mirrored: bool) -> "Provenance":
        """That of this image mirrored left for right (if `mirrored`) and then turned clockwise by quarters."""
        return replace(self, panels=tuple(panel.turned(quarters, mirrored) for panel in self.panels))

    def shown_in(self, window: tuple[float, float] | None) -> "Provenance":
        """That of this image after `window` was burnt in; None: no other than was."""
        return replace(self, window=window or self.window)

    def made_by(self, operation: Operation, inputs: Iterable["Provenance"]) -> "Provenance":
        """That of an image which `operation` made of images with the descents `inputs`."""
        before: list[Operation] = []
        for step in (step for each in (*inputs, self) for step in each.operations):
            if step not in before:
                before.append(step)
        return replace(self, operations=(*before, operation))

    def to_dict(self) -> dict[str, Any]:
        """JSON values; `from_dict` turns them back."""
        return {
            "source": self.source,
            "panels": [panel.to_dict() for panel in self.panels],
            "window": list(self.window) if self.window else None,
            "operations": [
                {
                    "name": each.name,
                    "version": each.version,
                    "parameters": dict(each.parameters),
                    **({"output": each.output} if each.output != 1 else {}),
                }
                for each in self.operations
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Provenance":
        """Raises ImageError where `values` are not what `to_dict` writes."""
        try:
            panels = values.get("panels", [values])  # before there were panels, a view was one box
            window = tuple(float(each) for each in values["window"]) if values["window"] is not None else None
            operations = tuple(
                Operation(str(each["name"]), str(each["version"]), dict(each["parameters"]), int(each.get("output", 1)))
                for each in cast("list[dict[str, Any]]", values["operations"])
            )
            made = cls(
                source=str(values["source"]),
                panels=tuple(Panel.from_dict(each) for each in cast("list[dict[str, Any]]", panels)),
                operations=operations,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ImageError(
                f"Got a provenance that cannot be read ({type(error).__name__}: {error}); expected source, panels, "
                "window and operations as Provenance.to_dict writes them. Store the image again."
            ) from error
        if window is not None and len(window) != 2:
            raise ImageError(f"Got a window of {len(window)} numbers in a provenance, expected centre and width.")
        return replace(made, window=window)
