"""show_slice: one slice of a volume, or one frame of a film, exactly as it was acquired."""

from typing import Annotated

from pydantic import Field

from tools.evidence import Evidence, regions_of
from tools.images.image import MedicalImage
from tools.images.volume import ACQUIRED
from tools.medical_tool import medical_tool
from tools.volume.pictures import check_numbers, picture_of, volume_in


@medical_tool(family="volume", version="1")
def show_slice(image: MedicalImage, slice: Annotated[int, Field(examples=[12])]) -> Evidence:
    """Show one slice, or frame, of a volume as it was acquired; they are numbered from 1."""
    volume = volume_in(image, "show_slice")
    check_numbers(image, ACQUIRED, slice, slice, "show_slice")
    shown = picture_of(image, None, ACQUIRED, (slice, slice), volume.slice(slice))
    return Evidence(
        text=f"Slice {slice} of {volume.count} of image {image.number}.",
        images=(shown,),
        regions=regions_of(shown, (0.0, 0.0, float(shown.width), float(shown.height))),
    )
