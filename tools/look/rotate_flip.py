"""rotate_flip: an image turned by quarters or mirrored, with no value changed.

Quarters only: any other angle would resample. The view's coordinates are its own and the text says so; spacing is
swapped where rows become columns. Mirroring swaps the patient's sides, so the text says that too.
"""

from typing import Literal

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool

Flip = Literal["none", "left_right", "top_bottom"]


@medical_tool(family="look", version="2")
def rotate_flip(image: MedicalImage, degrees: Literal[0, 90, 180, 270] = 0, flip: Flip = "none") -> Evidence:
    """Show an image turned clockwise, mirrored, or both.

    It is mirrored first, then turned.
    """
    if degrees == 0 and flip == "none":
        raise ToolRetry("rotate_flip: got degrees 0 and flip none, which changes nothing; expected one of them.")
    half = 2 if flip == "top_bottom" else 0  # top for bottom is left for right and half a turn
    view = image.turned(degrees // 90 + half, mirrored=flip != "none")
    done = [] if flip == "none" else [f"mirrored {flip.replace('_', '-')}, so the patient's sides are swapped"]
    done += [f"turned {degrees} degrees clockwise"] if degrees else []
    return Evidence(
        text=f"Image {image.number} {' and '.join(done)}. Coordinates in this view are its own.",
        images=(view,),
    )
