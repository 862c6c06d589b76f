"""read_text: what is written in the pixels, line by line, and where.

Annotations, scales, side markers, labels of figures. A name that is burnt in is text too: images that may hold one are
loaded with `blank_burnt_in_text=True`, so that it never comes this far.
"""

from PIL import ImageDraw

from tools.errors import ImageError, ToolFailed, ToolRetry
from tools.evidence import Evidence, regions_of
from tools.geometry import Box, box_from_pixels, box_to_pixels
from tools.images.burnt_in import TextLine, find_text, load_reader
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool

MOST_LINES = 30
MOST_CHARACTERS = 100
"""Of one line."""


@medical_tool(family="read", version="1", warm_up=load_reader)
def read_text(image: MedicalImage, box: Box | None = None) -> Evidence:
    """Read the text that is written in an image, or in a box of it."""
    part = image if box is None else image.crop(_whole_pixels(box, image))
    try:
        lines = find_text(part.display()) if box is None else find_text(part.display(), tallest=1.0)
    except ImageError as error:
        raise ToolFailed(str(error)) from error
    where = f"image {image.number}" if box is None else f"that box of image {image.number}"
    if not lines:
        return Evidence(text=f"No text in {where}.")
    left, top = (0, 0) if box is None else _whole_pixels(box, image)[:2]
    told = [_told(line, image, left, top) for line in lines[:MOST_LINES]]
    more = f" And {len(lines) - MOST_LINES} more lines." if len(lines) > MOST_LINES else ""
    return Evidence(
        text=f"Text in {where}: {'; '.join(told)}.{more}",
        images=(_outlined(part, lines),),
        regions=tuple(region for line in lines for region in regions_of(part, line.box)),
    )


def _whole_pixels(box: Box, image: MedicalImage) -> tuple[int, int, int, int]:
    left, top, right, bottom = box_to_pixels(box, image.width, image.height)
    if left == right or top == bottom:
        raise ToolRetry(
            f"read_text: got box {box}, which has no area; expected [x1, y1, x2, y2] with x1 < x2 and y1 < y2."
        )
    x, y = min(int(left), image.width - 1), min(int(top), image.height - 1)
    return x, y, max(x + 1, round(right)), max(y + 1, round(bottom))


def _told(line: TextLine, image: MedicalImage, left: int, top: int) -> str:
    x1, y1, x2, y2 = line.box
    box = box_from_pixels((x1 + left, y1 + top, x2 + left, y2 + top), image.width, image.height)
    text = "".join(each for each in line.text if each.isprintable() and each not in '<>"|')
    return f'"{text[:MOST_CHARACTERS]}" at {box}'


def _outlined(part: MedicalImage, lines: tuple[TextLine, ...]) -> MedicalImage:
    import numpy as np

    picture = part.display().convert("RGB")
    canvas = ImageDraw.Draw(picture)
    for line in lines:
        x1, y1, x2, y2 = line.box
        canvas.rectangle((x1 - 1, y1 - 1, x2, y2), outline=(255, 200, 0))
    return part.derived(np.asarray(picture), window=part.display_window)
