"""Where a derived image comes from: the original's id, which of its slices, the box, the window, the operations.

Everything is said in terms of the original, however many steps lie between, because people and rewards ask "which part
of the scan did it look at?". The operations hold name, version and arguments of each step, so that the image can be
made again bit by bit (`tools/remake.py`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from tools.errors import ImageError
from tools.geometry import PixelBox


@dataclass(frozen=True)
class Operation:
    """One step: a tool that was applied."""

    name: str
    version: str
    parameters: Mapping[str, Any]
    """The call's arguments as JSON values; an image argument is the id of that image."""


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
class Provenance:
    """The descent of one image from an original."""

    source: str
    """Id of the original image (one that has no provenance itself)."""

    box: PixelBox
    """What of the original is seen: x1, y1, x2, y2 in the original's pixels; of a volume, in those of its section."""

    window: tuple[float, float] | None = None
    """Centre and width (the original's own values) burnt into the pixels; None where they are the original's values."""

    operations: tuple[Operation, ...] = ()
    section: Section | None = None
    """Where the original is a volume (a series of slices, a film of frames): which of them is seen."""

    def compose(
        self, size: tuple[int, int], box: PixelBox | None = None, window: tuple[float, float] | None = None
    ) -> "Provenance":
        """The provenance of a view of this image, before the operation that makes it is added.

        `size` is this image's (width, height), `box` the part that is seen in this image's pixels (None: all of it). An
        image that shows its box at another scale than the original is taken care of.
        """
        return replace(self, box=self.in_source(size, box) if box else self.box, window=window or self.window)

    def in_source(self, size: tuple[int, int], box: PixelBox) -> PixelBox:
        """`box`, in pixels of this image of `size` (width, height), in the original's pixels."""
        left, top, right, bottom = self.box
        across, down = (right - left) / size[0], (bottom - top) / size[1]
        return left + box[0] * across, top + box[1] * down, left + box[2] * across, top + box[3] * down

    def with_operation(self, operation: Operation) -> "Provenance":
        """The same descent with one more step at its end."""
        return replace(self, operations=(*self.operations, operation))

    def to_dict(self) -> dict[str, Any]:
        """JSON values; `from_dict` turns them back."""
        return {
            "source": self.source,
            "box": list(self.box),
            "window": list(self.window) if self.window else None,
            "operations": [
                {"name": each.name, "version": each.version, "parameters": dict(each.parameters)}
                for each in self.operations
            ],
            **({"section": asdict(self.section)} if self.section else {}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Provenance":
        """Raises ImageError where `values` are not what `to_dict` writes."""
        try:
            x1, y1, x2, y2 = (float(each) for each in values["box"])
            window = tuple(float(each) for each in values["window"]) if values["window"] is not None else None
            operations = tuple(
                Operation(str(each["name"]), str(each["version"]), dict(each["parameters"]))
                for each in cast("list[dict[str, Any]]", values["operations"])
            )
            source = str(values["source"])
            section = _section(values.get("section"))
        except (KeyError, TypeError, ValueError) as error:
            raise ImageError(
                f"Got a provenance that cannot be read ({type(error).__name__}: {error}); expected source, box, window "
                "and operations as Provenance.to_dict writes them. Store the image again."
            ) from error
        if window is not None and len(window) != 2:
            raise ImageError(f"Got a window of {len(window)} numbers in a provenance, expected centre and width.")
        return cls(source=source, box=(x1, y1, x2, y2), window=window, operations=operations, section=section)


def _section(values: Mapping[str, Any] | None) -> Section | None:
    return None if values is None else Section(str(values["plane"]), int(values["first"]), int(values["last"]))
