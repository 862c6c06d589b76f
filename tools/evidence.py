"""What a tool call found: text for the policy, images to look at, regions and measurements as data."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, FiniteFloat

from tools.geometry import PixelBox
from tools.images.image import MedicalImage
from tools.images.panel import Section


class Region(BaseModel):
    """A box of one image."""

    model_config = ConfigDict(frozen=True)

    image: str
    """Id of the image that `box` is measured in."""

    box: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
    """x1, y1, x2, y2 in that image's pixels."""

    label: str | None = None
    section: Section | None = None
    """Where the image is a volume: the slice, or slices, that `box` lies in."""

    image_size: tuple[int, int] | None = None
    """Width and height of that image in pixels; None where nobody knows, or in a plane that it was not acquired in."""


class Measurement(BaseModel):
    """A number with its unit."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: FiniteFloat
    unit: str
    """mm, mm2, pixels, degrees, HU ..."""


@dataclass(frozen=True)
class Evidence:
    """What a medical tool returns."""

    text: str
    """What the policy reads: one short sentence where that is enough."""

    images: tuple[MedicalImage, ...] = ()
    """What the policy sees; each becomes an image of the conversation."""

    regions: tuple[Region, ...] = ()
    measurements: tuple[Measurement, ...] = ()


def regions_of(image: MedicalImage, box: PixelBox, label: str | None = None) -> tuple[Region, ...]:
    """What `box` (pixels of `image`) shows, each region measured in the original that it is a part of.

    So the boxes of a crop of a crop, of a turned copy and of the scan itself can be compared. Usually there is one;
    several where the box lies across pictures side by side, none where it lies on a plot or between them.
    """
    return tuple(
        Region(image=panel.source, box=panel.box, label=label, section=panel.section) for panel in image.seen_in(box)
    )
