"""blank_text: a copy of an image whose burnt-in text is gone, for looking on without it, or for showing it to others.

What is written is not told: a name that was blanked must not come back as text. `read_text` reads.
"""

from dataclasses import replace

from tools.errors import ImageError, ToolFailed
from tools.evidence import Evidence, regions_of
from tools.images.burnt_in import blanked, load_reader, text_boxes
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool


@medical_tool(family="read", version="2", warm_up=load_reader)
def blank_text(image: MedicalImage) -> Evidence:
    """Find the text that is burnt into an image and blank it."""
    shown = image if image.volume is None else image.crop((0, 0, image.width, image.height))
    try:
        boxes = text_boxes(shown)
    except ImageError as error:
        raise ToolFailed(str(error)) from error
    if not boxes:
        return Evidence(text=f"No text in image {image.number}.")
    clean = MedicalImage(
        blanked(shown.pixels, boxes),
        spacing=shown.spacing,
        window=shown.display_window,
        facts=replace(shown.facts, burnt_in_text=False),
        provenance=shown.origin(),
    )
    return Evidence(
        text=f"Image {image.number} with {len(boxes)} line{'s' if len(boxes) > 1 else ''} of text blanked.",
        images=(clean,),
        regions=tuple(region for box in boxes for region in regions_of(image, box)),
    )
