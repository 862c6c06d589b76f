"""Lessons on real microscopy, for a base that has only seen phantoms: blood cells and nuclei, of train images alone.

The form is that of rl/toy/lessons.py, and so is what is left out: when to look. Every kind of question that the sets
`blood_cells` and `nuclei` ask is asked, on the image turned or mirrored and its colours a little changed. All are
answered from the thumbnail; those that point to a place also from a close view, and their look's call is written down.
A close view never follows its own call.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agent.encoder import Encoder
from agent.protocol import Turn
from rl.tasks.demonstrator import LOOK, SEEN
from rl.tasks.files import content_of, data_folder, read_image, read_json
from rl.tasks.sets import blood_cells, nuclei
from rl.tasks.sets._cells_at import NAMES, cells_at
from rl.tasks.sets._nuclei_at import nuclei_at
from rl.tasks.sets.nuclei import Nuclei, nuclei_in
from rl.tasks.splits import split_of
from rl.toy.lessons import Ask, Lesson, Teacher, View, shuffled
from tools.calls import ToolCall
from tools.geometry import PixelBox, box_to_pixels, zoom_box
from tools.images.image import MedicalImage

CALL_ZOOM = "Call zoom_in on that place."
TURNS = 8
"""Quarter turns, and the same mirrored."""
CLOSE_VIEWS = 2
"""Alone, for each image."""
SHIFT = 0.08
"""By how much of its side a close view is off, where that changes no answer."""
COUNTED = "count_in_box"
UNKNOWN = ""

Fields = dict[str, Any]
Words = Callable[[PixelBox], str]
"""What a cell of a picture shows, for its box in the image's pixels."""


@dataclass(frozen=True)
class Seen:
    """One turned image: what can be asked about it, and what its parts show."""

    size: tuple[int, int]
    whole: tuple[tuple[str, Fields], ...]
    """Questions about the image as a whole."""
    pointed: Callable[[np.random.Generator], Iterator[tuple[str, Fields]]]
    words: Words


@dataclass(frozen=True)
class Source:
    """One image."""

    pixels: NDArray[np.uint8]
    seen: tuple[Seen, ...]
    """By turn."""


def turned(box: PixelBox, size: tuple[int, int], turn: int) -> PixelBox:
    """Where a box of an image of this (width, height) lies after `turn`: mirrored from 4 on, then np.rot90."""
    (x1, y1, x2, y2), (width, height) = box, size
    if turn >= 4:
        x1, x2 = width - x2, width - x1
    for _ in range(turn % 4):
        x1, y1, x2, y2 = y1, width - x2, y2, width - x1
        width, height = height, width
    return x1, y1, x2, y2


def turned_pixels(pixels: NDArray[Any], turn: int) -> NDArray[Any]:
    """The image after `turn`."""
    return np.rot90(pixels[:, ::-1] if turn >= 4 else pixels, turn % 4)


def blood_sources(root: Path, split: str) -> Iterator[Source]:
    """The images of BCCD in a split."""
    folder = data_folder(root, "bccd", ["annotations.json"], blood_cells.PUBLISHED)
    for record in read_json(folder / "annotations.json"):
        path = folder / record["file"]
        if split_of(content_of(path), "blood_cells") == split:
            image = read_image(path, record["file"])
            count = tuple(blood_cells.platelet_questions(record["objects"], image))  # the same however it is turned
            turns = (_smear(record["objects"], image, count, turn) for turn in range(TURNS))
            yield Source(image.pixels, tuple(turns))


def _smear(objects: list[Fields], image: MedicalImage, count: tuple[tuple[str, Fields], ...], turn: int) -> Seen:
    moved: list[Fields] = [{**each, "box": turned(tuple(each["box"]), image.size, turn)} for each in objects]
    width, height = image.size
    size = (width, height) if turn % 2 == 0 else (height, width)
    boxes: list[tuple[str, PixelBox]] = [(NAMES[each["label"]], each["box"]) for each in moved]

    def words(cell: PixelBox) -> str:
        held = {name for name, box in boxes if _meet(box, cell)}
        return next((name for name in ("white", "platelet", "red") if name in held), UNKNOWN)

    whole = (*blood_cells.white_questions(moved, size, f"{image.id} {turn}"), *count)
    return Seen(size, whole, lambda rng: cells_at(moved, size, rng), words)


def nuclei_sources(root: Path, split: str) -> Iterator[Source]:
    """The images of the 2018 Data Science Bowl in a split, those in which the set points to places."""
    folder = data_folder(root, "dsb2018", ["annotations.json"], nuclei.PUBLISHED)
    for record in read_json(folder / "annotations.json"):
        path = folder / record["file"]
        if record["stain"] == nuclei.POINTED_IN and split_of(content_of(path), "nuclei") == split:
            found = nuclei_in(read_image(folder / record["labels"], record["labels"]).pixels)
            if len(found.areas):
                pixels = np.asarray(nuclei.shown(read_image(path, record["file"]), record["stain"]).display())
                yield Source(pixels, tuple(_slide(found, turn) for turn in range(TURNS)))


def _slide(found: Nuclei, turn: int) -> Seen:
    boxes = tuple(turned(box, found.size, turn) for box in found.boxes)
    points = [turned((x, y, x, y), found.size, turn)[:2] for x, y in found.centres.tolist()]
    width, height = found.size
    size = (width, height) if turn % 2 == 0 else (height, width)
    moved = replace(found, boxes=boxes, centres=np.asarray(points).reshape(-1, 2), size=size)

    def words(cell: PixelBox) -> str:
        x, y = moved.centres[:, 0], moved.centres[:, 1]
        return str(int(((x >= cell[0]) & (x < cell[2]) & (y >= cell[1]) & (y < cell[3])).sum()))

    return Seen(size, tuple(nuclei.questions(moved)), lambda rng: nuclei_at(moved, rng), words)


class CellTeacher:
    """Makes lessons; `tool_section` is the tool part of one of the three system prompts a lesson may stand under. Only
    a base's measurement takes another split than train.
    """

    def __init__(self, tool_section: str, encoder: Encoder, root: Path, split: str = "train") -> None:
        self.talk = Teacher(tool_section).talk
        self.encoder = encoder
        self.sources = (tuple(blood_sources(root, split)), tuple(nuclei_sources(root, split)))

    def step(self, rng: np.random.Generator, images: int) -> list[Lesson]:
        """The lessons of `images` smears and as many images of nuclei."""
        lessons: list[Lesson] = []
        for sources in self.sources:
            for index in rng.integers(len(sources), size=images):
                lessons += self.of(rng, sources[int(index)])
        return lessons

    def of(self, rng: np.random.Generator, source: Source) -> list[Lesson]:
        """Lessons from one image, turned at random."""
        turn = int(rng.integers(TURNS))
        seen = source.seen[turn]
        picture = Image.fromarray(np.ascontiguousarray(turned_pixels(_coloured(rng, source.pixels), turn)))
        whole = (self._view(picture, seen, (0, 0, *picture.size)),)
        general = [Ask(fields["question"], _answer(fields), "thumbnail") for _, fields in seen.whole]
        general = [general[int(index)] for index in rng.permutation(len(general))]
        pointed = list(seen.pointed(rng))
        pointed = [pointed[int(index)] for index in rng.permutation(len(pointed))]
        if not pointed:
            return [self.talk(rng, whole, *general[:2])] if general else []

        def nth(index: int) -> tuple[str, Fields]:
            return pointed[index % len(pointed)]

        def close(index: int) -> Ask:
            kind, fields = nth(index)
            view = self._view(picture, seen, _shown(rng, kind, fields, picture.size))
            return Ask(fields["question"], _answer(fields), "close view", (view,))

        guess = Ask(nth(1)[1]["question"], _answer(nth(1)[1]), "thumbnail")
        call, other_call = (_call(rng, nth(index)[1]) for index in (0, 2))
        return [
            self.talk(rng, whole, *shuffled(rng, call, *(general[:1] if rng.uniform() < 0.5 else [guess]))),
            self.talk(rng, whole, *shuffled(rng, other_call, *general[1:2])),
            self.talk(rng, whole, (general[2:3] or [guess])[0] if rng.uniform() < 0.7 else guess, close(2)),
            *(self.talk(rng, (), close(index)) for index in range(CLOSE_VIEWS)),
        ]

    def _view(self, picture: Image.Image, seen: Seen, box: tuple[int, int, int, int]) -> View:
        view = picture.crop(box)
        _, rows, columns = self.encoder.grid(view)
        rows, columns = rows // 2, columns // 2  # two by two patches make a token
        across, down = view.width / columns, view.height / rows
        corners = [(box[0] + c * across, box[1] + r * down) for r in range(rows) for c in range(columns)]
        return View(view, tuple(seen.words((x, y, x + across, y + down)) for x, y in corners))


def _answer(fields: Fields) -> Turn:
    return Turn(SEEN, answer=fields["answer"])


def _call(rng: np.random.Generator, fields: Fields) -> Ask:
    """A call, its turn begun under the question, or told."""
    turn = Turn(LOOK, calls=tuple(ToolCall.model_validate(call) for call in fields["expert"]))
    if rng.uniform() < 0.6:
        return Ask(fields["question"], turn, "thumbnail", begun=True)
    return Ask(CALL_ZOOM, turn, "thumbnail", above=fields["question"])


def _shown(rng: np.random.Generator, kind: str, fields: Fields, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """What the expert's look shows, a little off where no count depends on it."""
    x1, y1, x2, y2 = box_to_pixels(fields["expert"][0]["arguments"]["box"], *size)
    off = [0.0, 0.0] if kind == COUNTED else (rng.uniform(-SHIFT, SHIFT, 2) * (x2 - x1)).tolist()
    return zoom_box((x1 + off[0], y1 + off[1], x2 + off[0], y2 + off[1]), *size)


def _coloured(rng: np.random.Generator, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image with each channel's grey values stretched and moved a little."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    scale, off = rng.uniform(0.88, 1.12, channels), rng.uniform(-8, 8, channels)
    return np.clip(pixels * scale + off, 0, 255).astype(np.uint8)


def _meet(box: PixelBox, cell: PixelBox) -> bool:
    """Whether the middle half of a box reaches into a cell, or the cell's middle lies in the box."""
    across, down = (box[2] - box[0]) / 4, (box[3] - box[1]) / 4
    x, y = (cell[0] + cell[2]) / 2, (cell[1] + cell[3]) / 2
    reaches = (
        box[0] + across < cell[2] and box[2] - across > cell[0] and box[1] + down < cell[3] and box[3] - down > cell[1]
    )
    return reaches or (box[0] <= x <= box[2] and box[1] <= y <= box[3])
