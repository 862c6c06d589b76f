"""Chest x-rays: the box of a lung, which of the patient's lungs a box holds, and the view.

Margins, so that gold lies beyond label noise: the boxes are drawn loosely, so one is right from an IoU of 0.7 on,
less than two such boxes of one lung differ by; and it is asked only where the half of the image that holds the lung
is no such box (IoU below 0.65), so that "the left half" is no answer. The side is asked where the two boxes' centres
lie a quarter of the width apart. The view (PA, or AP lying) is the source's own record, not judged by eye.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rl.tasks.files import content_of, data_folder, read_image, read_json
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.splits import share_of, split_of
from rl.tasks.task import Task
from tools.geometry import PixelBox, box_from_pixels, intersection_over_union

PUBLISHED = "https://github.com/ieee8023/covid-chestxray-dataset (per image: CC BY 3.0 / 4.0)"
IOU, HALF, APART = 0.7, 0.65, 0.25
VIEWS = {"PA": "PA", "AP Supine": "AP"}

BOX = "Where is the patient's {side} lung? Answer with its box [x1, y1, x2, y2] in 0-999."
SIDE = "Which of the patient's lungs lies in the box {box} (0-999), left or right?"
VIEW = "Was this chest x-ray taken PA (standing, from behind) or AP (lying)?"


@task_set()
def chest_xrays(wanted: TaskRequest) -> Iterable[Task]:
    """Real chest x-rays: a lung's box, the patient's side, the view."""
    folder = data_folder(wanted.root, "cxr_lungs", ["annotations.json"], PUBLISHED)
    for number, record in enumerate(read_json(folder / "annotations.json")):
        if split_of(content_of(folder / record["file"]), "chest_xrays") == wanted.split:
            image = read_image(folder / record["file"], f"cxr_lungs record {number}")
            kept = wanted.store.put(image)
            for kind, fields in questions(record["boxes"], record["view"], image.size, image.id):
                yield Task(id=f"chest_xrays/{image.id[:16]}/{kind}", kind=kind, images=(kept,), **fields)


def questions(
    boxes: Mapping[str, Sequence[float]], view: str, size: tuple[int, int], image: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, the task's fields); `boxes` are [x, y, width, height] of the patient's left and right lung in pixels."""
    lungs = {side: _inside(box, size) for side, box in boxes.items()}
    for side, lung in lungs.items():
        if _beats_half(lung, size):
            gold = str(box_from_pixels(lung, *size))
            fields = {"answer": gold, "grader": "box", "rules": {"iou": IOU}, "regions": ((1, lung),)}
            yield f"{side}_lung_box", {"question": BOX.format(side=side), **fields}
    if set(lungs) == {"left", "right"} and abs(_middle(lungs["left"]) - _middle(lungs["right"])) > APART * size[0]:
        side = "left" if share_of(image, "side") < 0.5 else "right"
        question = SIDE.format(box=box_from_pixels(lungs[side], *size))
        fields = {"answer": side, "grader": "closed", "rules": {"options": ["left", "right"]}}
        yield "side", {"question": question, "needs_tool": False, "regions": ((1, lungs[side]),), **fields}
    if view in VIEWS:
        fields = {"answer": VIEWS[view], "grader": "closed", "rules": {"options": ["PA", "AP"]}}
        yield "view", {"question": VIEW, **fields}


def _inside(box: Sequence[float], size: tuple[int, int]) -> PixelBox:
    x, y, width, height = (float(each) for each in box)
    return max(0.0, x), max(0.0, y), min(float(size[0]), x + width), min(float(size[1]), y + height)


def _middle(box: PixelBox) -> float:
    return (box[0] + box[2]) / 2


def _beats_half(lung: PixelBox, size: tuple[int, int]) -> bool:
    width, height = size
    halves = ((0.0, 0.0, width / 2, float(height)), (width / 2, 0.0, float(width), float(height)))
    return max(intersection_over_union(lung, half) for half in halves) < HALF
