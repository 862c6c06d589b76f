"""A contact sheet: what a policy is shown and asked, with the gold answer and, in amber, where it lies.

A region too small to be judged at the size of the sheet is also shown enlarged, in the corner that is farthest from
it.
"""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from rl.tasks.task import Task
from tools.geometry import PixelBox
from tools.images.store import ImageStore

INK, MUTED, PAPER, CARD, DARK = "#1c2733", "#5b6875", "#eef1f4", "#ffffff", "#10161c"
AMBER, ANSWER, TOOL = "#ffb000", "#0b6b4f", "#7a4fb0"
SIDE = 360
"""Of a picture on the sheet, in pixels."""
PAD, GAP, LINE = 16, 20, 21
SMALL = 0.05
"""Share of the image below which a region is shown enlarged too."""
INSET = 118
LONGEST_TEXT = 7
"""Lines of a question."""
NOTICE = "Gold regions in amber; no policy sees them. Research use only, not a medical device."


def contact_sheet(title: str, tasks: Sequence[Task], store: ImageStore, columns: int = 4) -> Image.Image:
    """The tasks as cards, row by row."""
    columns = max(1, min(columns, len(tasks)))
    texts = [_lines(task) for task in tasks]
    rows = math.ceil(len(tasks) / columns)
    heights = [
        max((len(lines) for lines in texts[row * columns : (row + 1) * columns]), default=0) * LINE
        for row in range(rows)
    ]
    width = columns * (SIDE + 2 * PAD) + (columns + 1) * GAP
    top = 92
    sheet = Image.new("RGB", (width, top + sum(heights) + rows * (SIDE + 62 + 2 * PAD + GAP)), PAPER)
    canvas = ImageDraw.Draw(sheet)
    canvas.text((GAP, 20), title, font=_font(26, bold=True), fill=INK)
    canvas.text((GAP, 56), NOTICE, font=_font(14), fill=MUTED)
    y = top
    for row in range(rows):
        height = SIDE + 62 + 2 * PAD + heights[row]
        for column, task in enumerate(tasks[row * columns : (row + 1) * columns]):
            x = GAP + column * (SIDE + 2 * PAD + GAP)
            canvas.rounded_rectangle((x, y, x + SIDE + 2 * PAD, y + height - 6), radius=12, fill=CARD)
            sheet.paste(_picture(task, store), (x + PAD, y + PAD))
            _words(canvas, task, texts[row * columns + column], x + PAD, y + PAD + SIDE + 12)
        y += height + GAP
    return sheet


def _words(canvas: ImageDraw.ImageDraw, task: Task, lines: Sequence[tuple[str, str]], x: int, y: int) -> None:
    right = _chip(canvas, x, y, task.kind, INK)
    if task.needs_tool is not None:
        _chip(
            canvas,
            right + 6,
            y,
            "needs a tool" if task.needs_tool else "needs no tool",
            TOOL if task.needs_tool else MUTED,
        )
    y += 30
    for text, role in lines:
        canvas.text((x, y), text, font=_font(15, bold=role == "answer"), fill=ANSWER if role == "answer" else INK)
        y += LINE


def _lines(task: Task) -> list[tuple[str, str]]:
    asked = [line for part in task.question.splitlines() for line in textwrap.wrap(part, 44) or [""]]
    if len(asked) > LONGEST_TEXT:
        asked = [*asked[: LONGEST_TEXT - 1], asked[LONGEST_TEXT - 1][:40] + " ..."]
    answer = textwrap.wrap(task.answer, 36)[:3] or [""]
    return [(line, "question") for line in asked] + [(line, "answer") for line in answer]


def _chip(canvas: ImageDraw.ImageDraw, x: float, y: float, text: str, colour: str) -> float:
    font = _font(12, bold=True)
    width = canvas.textlength(text, font=font) + 16
    canvas.rounded_rectangle((x, y, x + width, y + 21), radius=10, outline=colour, width=1)
    canvas.text((x + 8, y + 3), text, font=font, fill=colour)
    return x + width


def _picture(task: Task, store: ImageStore) -> Image.Image:
    """The task's images in a square, side by side where there are several."""
    square = Image.new("RGB", (SIDE, SIDE), DARK)
    across = math.ceil(math.sqrt(len(task.images)))
    cell = SIDE // across
    for index, image in enumerate(task.images):
        regions = [box for number, box in task.regions if number == index + 1]
        stored = store.get(image)
        shown = _marked(stored.display().convert("RGB"), regions, cell)
        if stored.volume is not None:
            _note(shown, f"slice {stored.volume.middle} of {stored.volume.count}")
        left, top = index % across * cell, index // across * cell
        square.paste(shown, (left + (cell - shown.width) // 2, top + (cell - shown.height) // 2))
    return square


def _marked(picture: Image.Image, regions: Sequence[PixelBox], cell: int) -> Image.Image:
    scale = min(cell / picture.width, cell / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    shown = picture.resize(size, Image.Resampling.LANCZOS)
    canvas = ImageDraw.Draw(shown)
    for x1, y1, x2, y2 in regions:
        corners = (x1 * scale - 2, y1 * scale - 2, x2 * scale + 1, y2 * scale + 1)
        canvas.rectangle([corner + (-1 if side < 2 else 1) for side, corner in enumerate(corners)], outline=DARK)
        canvas.rectangle(corners, outline=AMBER, width=2)
    small = [box for box in regions if (box[2] - box[0]) * (box[3] - box[1]) < SMALL * picture.width * picture.height]
    free = _corners(shown.size, regions, scale)
    for box, corner in zip(small[:2], free, strict=False):
        shown.paste(_enlarged(picture, box), corner)
    return shown


def _corners(size: tuple[int, int], regions: Sequence[PixelBox], scale: float) -> list[tuple[int, int]]:
    """Where an inset may lie, the corner farthest from all regions first."""
    places = [(x, y) for y in (0, size[1] - INSET) for x in (0, size[0] - INSET)]

    def distance(place: tuple[int, int]) -> float:
        middle = place[0] + INSET / 2, place[1] + INSET / 2
        ends = (((box[0] + box[2]) / 2 * scale, (box[1] + box[3]) / 2 * scale) for box in regions)
        return min((math.dist(middle, end) for end in ends), default=0.0)

    return sorted(places, key=lambda place: -distance(place))


def _enlarged(picture: Image.Image, box: PixelBox) -> Image.Image:
    side = max(16.0, 1.6 * max(box[2] - box[0], box[3] - box[1]))
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    side = min(side, picture.width, picture.height)
    left = min(max(0, round(x - side / 2)), picture.width - round(side))
    top = min(max(0, round(y - side / 2)), picture.height - round(side))
    area = (left, top, left + round(side), top + round(side))
    inset = picture.crop(area).resize((INSET, INSET), Image.Resampling.BICUBIC)
    ImageDraw.Draw(inset).rectangle((0, 0, INSET - 1, INSET - 1), outline=AMBER, width=2)
    return inset


def _note(picture: Image.Image, text: str) -> None:
    canvas = ImageDraw.Draw(picture)
    width = canvas.textlength(text, font=_font(12)) + 12
    canvas.rectangle((0, picture.height - 22, width, picture.height), fill=DARK)
    canvas.text((6, picture.height - 19), text, font=_font(12), fill="white")


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)
