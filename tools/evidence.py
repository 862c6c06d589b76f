"""What a tool call found: text for the policy, images to look at, regions and measurements as data."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, FiniteFloat

from tools.geometry import PixelBox
from tools.images.image import MedicalImage
from tools.images.provenance import Section


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


def region_of(image: MedicalImage, box: PixelBox, label: str | None = None) -> Region:
    """The region for `box` (pixels of `image`), measured in the original that `image` comes from.

    So the boxes of a crop of a crop, of a windowed copy and of the scan itself can be compared.
    """
    source, box_in_source = image.in_source(box)
    return Region(image=source, box=box_in_source, label=label, section=image.origin().section)
