"""Blood smears of BCCD: white cells present, counted and located; platelets counted. Red cells never: boxes are
missing.

Margins, so that gold lies beyond label noise:
- a white cell counts as whole from 80 pixels on a side (the median is 200); an image with a smaller one, cut off by the
  edge, is asked nothing about white cells;
- "in the left half" is asked where every white cell is clear of the midline by 16 pixels, which is more than annotators
  differ by;
- platelets are counted where none is cut by the edge, none overlaps another, each is 20 to 90 pixels wide (clumps are
  boxed as one), and the stain shows just as many (_stain.py): annotators missed some;
- nearly every smear shows exactly one white cell, and most no platelet, so "how many" is asked of a twentieth of those
  with one white cell, of half of those without a platelet, and of all others: a guess does not win.
What cell lies at a point: _cells_at.py. A box is right from an IoU of 0.5 on. Whether a tool is needed nobody knows.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations
from typing import Any

from rl.tasks.files import content_of, data_folder, read_image, read_json
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.sets._cells_at import cells_at
from rl.tasks.sets._identity import numbered, stream_of
from rl.tasks.sets._stain import bears_out
from rl.tasks.splits import share_of, split_of
from rl.tasks.task import Task
from tools.geometry import PixelBox, box_from_pixels, intersection_over_union
from tools.images.image import MedicalImage

PUBLISHED = "https://github.com/Shenggan/BCCD_Dataset (MIT)"
WHOLE = 80
CLEAR = 16
EDGE = 3
PLATELET = (20, 90)
SHARE_OF_SINGLE, SHARE_OF_NONE = 0.05, 0.5

PRESENT = "Is there a white blood cell in the {half} half of the image, yes or no?"
COUNT = "How many white blood cells does the image show?"
BOX = "Where is the white blood cell? Answer with its box [x1, y1, x2, y2] in 0-999."
PLATELETS = "How many platelets does the image show?"


@task_set()
def blood_cells(wanted: TaskRequest) -> Iterable[Task]:
    """Real blood smears (BCCD): white cells present, counted, located; platelets counted; cells at a point named."""
    folder = data_folder(wanted.root, "bccd", ["annotations.json"], PUBLISHED)
    for number, record in enumerate(read_json(folder / "annotations.json")):
        if split_of(content_of(folder / record["file"]), "blood_cells") == wanted.split:
            image = read_image(folder / record["file"], f"bccd record {number}")
            kept = wanted.store.put(image)
            pointed = cells_at(record["objects"], image.size, stream_of(image.id))
            for name, kind, fields in numbered(chain(questions(record["objects"], image), pointed)):
                yield Task(id=f"blood_cells/{image.id[:16]}/{name}", kind=kind, images=(kept,), **fields)


def questions(objects: Sequence[dict[str, Any]], image: MedicalImage) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, the task's fields) of what can be asked about one smear with these annotated objects."""
    yield from white_questions(objects, image.size, image.id)
    yield from platelet_questions(objects, image)


def white_questions(
    objects: Sequence[dict[str, Any]], size: tuple[int, int], image: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What can be asked about its white cells; `image` is its id, or any text that stands for it."""
    white = _boxes(objects, "WBC", size)
    if all(min(x2 - x1, y2 - y1) >= WHOLE for x1, y1, x2, y2 in white) and not _overlap(white):
        yield from _present(white, size, image)
        if len(white) != 1 or share_of(image, "single") < SHARE_OF_SINGLE:
            yield "white_count", _count(COUNT, white)
        if len(white) == 1:
            gold = str(box_from_pixels(white[0], *size))
            yield "white_box", _asked(BOX, gold, "box", {"iou": 0.5}, white)


def platelet_questions(objects: Sequence[dict[str, Any]], image: MedicalImage) -> Iterator[tuple[str, dict[str, Any]]]:
    """What can be asked about its platelets."""
    size = image.size
    white, platelets = _boxes(objects, "WBC", size), _boxes(objects, "Platelets", size)
    well_drawn = not _overlap(platelets) and all(_whole_platelet(box, size) for box in platelets)
    common = not platelets and share_of(image.id, "none") >= SHARE_OF_NONE
    if well_drawn and not common and bears_out(image.pixels, platelets, white):
        yield "platelet_count", _count(PLATELETS, platelets)


def _present(white: Sequence[PixelBox], size: tuple[int, int], image: str) -> Iterator[tuple[str, dict[str, Any]]]:
    middle = size[0] / 2
    if any(x1 - CLEAR < middle < x2 + CLEAR for x1, _, x2, _ in white):
        return
    half = "left" if share_of(image, "half") < 0.5 else "right"
    inside = [box for box in white if (box[2] < middle) == (half == "left")]
    yield "white_present", _asked(PRESENT.format(half=half), "yes" if inside else "no", "closed", {}, inside)


def _count(question: str, boxes: Sequence[PixelBox]) -> dict[str, Any]:
    return _asked(question, str(len(boxes)), "number", {}, boxes)


def _asked(question: str, answer: str, grader: str, rules: dict[str, Any], boxes: Sequence[PixelBox]) -> dict[str, Any]:
    regions = tuple((1, box) for box in boxes)
    return {"question": question, "answer": answer, "grader": grader, "rules": rules, "regions": regions}


def _boxes(objects: Sequence[dict[str, Any]], label: str, size: tuple[int, int]) -> list[PixelBox]:
    corners = [each["box"] for each in objects if each["label"] == label]
    return [
        (max(0.0, float(x1)), max(0.0, float(y1)), min(float(size[0]), float(x2)), min(float(size[1]), float(y2)))
        for x1, y1, x2, y2 in corners
    ]


def _overlap(boxes: Sequence[PixelBox]) -> bool:
    return any(intersection_over_union(a, b) > 0.05 for a, b in combinations(boxes, 2))


def _whole_platelet(box: PixelBox, size: tuple[int, int]) -> bool:
    x1, y1, x2, y2 = box
    cut = x1 <= EDGE or y1 <= EDGE or x2 >= size[0] - EDGE or y2 >= size[1] - EDGE
    return not cut and all(PLATELET[0] <= side <= PLATELET[1] for side in (x2 - x1, y2 - y1))
