"""The contact sheet: every tool on a real image, what it is given beside what it shows, by family.

python -m tools sheet --images FOLDER --out docs/pictures/tools.png
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from tools.calls import ToolCall
from tools.gallery.samples import sample_image, sample_of
from tools.images.image import MedicalImage
from tools.medical_tool import MedicalTool
from tools.run.validation import validated_arguments

COLUMNS = 4
CELL, MARGIN, HEADING = (372, 236), 14, 46
BEFORE, AFTER = (112, 150), (228, 172)
"""Largest (width, height) of the picture that a tool is given, and of the one that it shows."""

PAPER, INK, FAINT, WHITE = (246, 246, 243), (28, 30, 34), (116, 120, 128), (255, 255, 255)
FAMILIES = {
    "look": (38, 112, 176),
    "appearance": (128, 84, 168),
    "measure": (190, 110, 20),
    "find": (30, 132, 84),
    "read": (170, 60, 70),
    "draw": (60, 120, 130),
    "volume": (90, 90, 150),
}
"""In the order of the sheet, each with its colour."""


@dataclass(frozen=True)
class Cell:
    """One tool at work."""

    name: str
    call: str
    """Its arguments, in short."""

    before: tuple[MedicalImage, ...]
    after: MedicalImage | None
    text: str
    """What it says."""


def cell_of(tool: MedicalTool, folder: Path) -> Cell:
    """The tool, run on its sample. Raises what the tool raises; ImageError for a missing image."""
    sample = sample_of(tool)
    images = tuple(sample_image(name, folder).numbered(number) for number, name in enumerate(sample.images, 1))
    numbers = {name: min(number, len(images)) for number, name in enumerate(tool.image_parameters, 1)}
    call = ToolCall(name=tool.name, arguments={**numbers, **sample.arguments})
    found = tool.apply(validated_arguments(tool, call, len(images)), images)
    words = ", ".join(f"{name} {_short(value)}" for name, value in sample.arguments.items())
    return Cell(tool.name, words, images, found.images[0] if found.images else None, found.text)


def sheet(cells: Sequence[tuple[str, Sequence[Cell]]]) -> Image.Image:
    """The sheet of these families, each with its cells; an image of 256 colours."""
    rows = sum(-(-len(each) // COLUMNS) for _, each in cells)
    width = COLUMNS * (CELL[0] + MARGIN) + MARGIN
    page = Image.new("RGB", (width, rows * (CELL[1] + MARGIN) + len(cells) * HEADING + MARGIN), PAPER)
    canvas = ImageDraw.Draw(page)
    top = MARGIN // 2
    for family, each in cells:
        colour = FAMILIES.get(family, INK)
        canvas.text((MARGIN + 2, top + 8), family, font=_font(26, bold=True), fill=colour)
        top += HEADING
        for place, cell in enumerate(each):
            across, down = place % COLUMNS, place // COLUMNS
            page.paste(_drawn(cell, colour), (MARGIN + across * (CELL[0] + MARGIN), top + down * (CELL[1] + MARGIN)))
        top += -(-len(each) // COLUMNS) * (CELL[1] + MARGIN)
    return page.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)


def _drawn(cell: Cell, colour: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", CELL, WHITE)
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle((0, 0, 4, CELL[1]), fill=colour)
    canvas.text((14, 8), cell.name, font=_font(17, bold=True), fill=INK)
    canvas.text((14, 31), textwrap.shorten(cell.call, 58, placeholder=" ..."), font=_font(11), fill=FAINT)
    middle = 52 + AFTER[1] // 2
    for number, image in enumerate(dict.fromkeys(cell.before)):
        size = BEFORE if len(set(cell.before)) == 1 else (BEFORE[0], BEFORE[1] // 2 - 2)
        shown = _fitted(image, size)
        top = middle - shown.height // 2 if size == BEFORE else middle - size[1] - 2 + number * (size[1] + 4)
        picture.paste(shown, (14 + (BEFORE[0] - shown.width) // 2, top))
    canvas.polygon([(130, middle - 5), (137, middle), (130, middle + 5)], fill=colour)
    if cell.after is None:
        words = "\n".join(textwrap.wrap(cell.text, 30)[:9])
        canvas.multiline_text((142, middle), words, font=_font(13), fill=INK, anchor="lm", spacing=5)
    else:
        shown = _fitted(cell.after, AFTER)
        picture.paste(shown, (140 + (AFTER[0] - shown.width) // 2, middle - shown.height // 2))
    return picture


def _fitted(image: MedicalImage, size: tuple[int, int]) -> Image.Image:
    """The image as it is displayed, as large as fits; its pixels square in the body where their spacing is known."""
    picture = image.display().convert("RGB")
    if image.spacing is not None:
        down, across = (each / min(image.spacing) for each in image.spacing)
        picture = picture.resize(
            (round(picture.width * across), round(picture.height * down)), Image.Resampling.BICUBIC
        )
    return ImageOps.contain(picture, size, Image.Resampling.LANCZOS)


def _short(value: object) -> str:
    return str(value).replace("'", "").replace(", ", ",")


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)
