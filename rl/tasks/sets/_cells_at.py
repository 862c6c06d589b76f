"""What cell lies in the middle of a box in a blood smear: white, red or platelet.

A thumbnail of 112 pixels shows a platelet as seven of them.

Margins: the middle lies at the centre of one annotated cell and, by a fifth of its sides, in no other cell's box (a
platelet's may lie in the outer fifth of a red cell's: those are drawn loosely); white
cells and platelets are whole (blood_cells.py); red cells are not cut by the edge and of a usual size and shape. That
some red cells lack a box does not matter: what is asked about has one. Each image gives as many red cells as platelets,
at most two of each and at least one red.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rl.tasks.sets._pointing import around, inside, look_into, point_at
from tools.geometry import PixelBox

QUESTION = "What cell lies in the middle of the box [{}, {}, {}, {}]: white, red or platelet?"
NAMES = {"WBC": "white", "RBC": "red", "Platelets": "platelet"}
WHITE, RED, PLATELET = (80, 400), (70, 140), (20, 90)
"""Least and greatest side in pixels."""
SQUARE = 0.75
"""Of a red cell: the shorter side over the longer."""
EDGE, CLEAR, MOST, REACH = 3, 0.2, 2, 120


def cells_at(
    objects: Sequence[dict[str, Any]], size: tuple[int, int], rng: np.random.Generator
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, the task's fields) of points in one smear with these annotated objects."""
    boxes: list[tuple[str, PixelBox]] = [(NAMES[each["label"]], _floats(each["box"])) for each in objects]
    found: dict[str, list[tuple[tuple[int, int, int, int], PixelBox]]] = {name: [] for name in NAMES.values()}
    for index in rng.permutation(len(boxes)):
        name, box = boxes[int(index)]
        point = point_at((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, size)
        others = [(other, its) for number, (its, other) in enumerate(boxes) if number != index]
        alone = not any(inside(point, other, size, _off(name, its)) for other, its in others)
        look = around(point, REACH)
        if look and alone and inside(point, box, size, CLEAR) and _sound(name, box, size):
            found[name].append((look, box))
    platelets = found["platelet"][:MOST]
    for name, kept in (
        ("white", found["white"][:1]),
        ("platelet", platelets),
        ("red", found["red"][: max(1, len(platelets))]),
    ):
        for look, box in kept:
            yield (
                "cell_at",
                {
                    "question": QUESTION.format(*look),
                    "answer": name,
                    "grader": "closed",
                    "rules": {"options": list(NAMES.values())},
                    "regions": ((1, box),),
                    "expert": (look_into(look),),
                },
            )


def _off(name: str, other: str) -> float:
    """How much of another cell's box a point must keep clear of: a loosely drawn red one may reach over a platelet."""
    return CLEAR if (name, other) == ("platelet", "red") else -CLEAR


def _floats(box: Sequence[int]) -> PixelBox:
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _sound(name: str, box: PixelBox, size: tuple[int, int]) -> bool:
    sides = (box[2] - box[0], box[3] - box[1])
    least, most = {"white": WHITE, "red": RED, "platelet": PLATELET}[name]
    cut = box[0] <= EDGE or box[1] <= EDGE or box[2] >= size[0] - EDGE or box[3] >= size[1] - EDGE
    if not all(least <= side <= most for side in sides) or (cut and name != "white"):
        return False
    return name != "red" or min(sides) / max(sides) >= SQUARE
