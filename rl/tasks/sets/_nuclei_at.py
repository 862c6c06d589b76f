"""Nuclei at a place that the question points to: how many a small box holds, and whether one is round or elongated.

Of fluorescence images only; borders in stained tissue are a matter of opinion. A typical nucleus is five pixels across
in a thumbnail. Margins:
- what a look at the box shows (the square around it) holds one to four nuclei, each wholly inside the box, no two of
  them touching, and no fragment. An image's boxes are of one size, and it gives one for each number it can, three
  numbers at least, so the size tells little;
- a nucleus is round where its shorter axis (of the ellipse with its second moments) is at least 0.87 of the longer,
  elongated where at most 0.62. It is convex (solidity 0.92), whole, touches no other, and is half as large as the
  image's median nucleus at least. An image gives one or two of each, as many round ones as elongated where it can.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from rl.tasks.sets._pointing import GRID, LAST, around, inside, look_into, point_at
from tools.geometry import PixelBox, box_to_pixels, zoom_box

if TYPE_CHECKING:
    from rl.tasks.sets.nuclei import Nuclei

HOW_MANY = "How many nuclei does the box [{}, {}, {}, {}] hold?"
SHAPE = "Is the nucleus in the middle of the box [{}, {}, {}, {}] round or elongated?"
SHAPES = ("round", "elongated")
ROUND, ELONGATED, CONVEX, LEAST_AREA, LARGE = 0.87, 0.62, 0.92, 60, 0.5
AMID = 2.6
"""Nuclei that an image's box would hold at the image's mean density."""
SIDES = (0.12, 0.45)
"""Least and greatest side of a box, of the image's shorter side."""
FEWEST, MOST, TRIES, EACH, REACH, CLEAR = 3, 4, 1000, 2, 80, 0.1

Asked = Iterator[tuple[str, dict[str, Any]]]


def nuclei_at(seen: "Nuclei", rng: np.random.Generator) -> Asked:
    """(kind, the task's fields) of places in one image."""
    yield from _counts(seen, rng)
    yield from _shapes(seen, rng)


def _counts(seen: "Nuclei", rng: np.random.Generator) -> Asked:
    width, height = seen.size
    least, most = (share * min(width, height) for share in SIDES)
    side = min(most, max(least, (AMID * width * height / len(seen.areas)) ** 0.5))
    across, down = (max(GRID, GRID * round(side / whole * 999 / GRID)) for whole in (width, height))
    corners = np.asarray(seen.boxes)
    found: dict[int, tuple[tuple[int, int, int, int], Any]] = {}
    for _ in range(TRIES):
        left, top = (GRID * int(rng.integers(0, (LAST - part) // GRID + 1)) for part in (across, down))
        box = (left, top, left + across, top + down)
        held = _held(seen, box, corners)
        if held is not None and 1 <= len(held) <= MOST:
            found.setdefault(len(held), (box, held))
        if len(found) == MOST:
            break
    if len(found) < FEWEST:
        return
    for number, (box, held) in sorted(found.items()):
        regions = tuple((1, seen.boxes[int(index)]) for index in held)
        fields = {"answer": str(number), "grader": "number", "regions": regions, "expert": (look_into(box),)}
        yield "count_in_box", {"question": HOW_MANY.format(*box), **fields}


def _held(seen: "Nuclei", box: tuple[int, int, int, int], corners: Any) -> Any | None:
    """Which nuclei the box holds; None where that is open to doubt."""
    x1, y1, x2, y2 = box_to_pixels(list(box), *seen.size)
    left, top, right, bottom = zoom_box((x1, y1, x2, y2), *seen.size)
    left, top, right, bottom = min(left, x1), min(top, y1), max(right, x2), max(bottom, y2)
    shown = (corners[:, 2] > left) & (corners[:, 0] < right) & (corners[:, 3] > top) & (corners[:, 1] < bottom)
    whole = (corners[:, 0] > x1) & (corners[:, 1] > y1) & (corners[:, 2] < x2) & (corners[:, 3] < y2)
    held = np.flatnonzero(shown)
    doubtful = (shown & (~whole | seen.crowded | seen.fragments)).any()
    return None if doubtful else held


def _shapes(seen: "Nuclei", rng: np.random.Generator) -> Asked:
    found: dict[str, list[tuple[tuple[int, int, int, int], PixelBox]]] = {name: [] for name in SHAPES}
    sound = (seen.areas >= max(LEAST_AREA, LARGE * np.median(seen.areas))) & (seen.solidity >= CONVEX) & ~seen.crowded
    for index in rng.permutation(np.flatnonzero(sound)):
        box, ratio = seen.boxes[int(index)], float(seen.axes[index])
        point = point_at(float(seen.centres[index, 0]), float(seen.centres[index, 1]), seen.size)
        whole = box[0] > 0 and box[1] > 0 and box[2] < seen.size[0] and box[3] < seen.size[1]
        others = (other for number, other in enumerate(seen.boxes) if number != index)
        alone = inside(point, box, seen.size, CLEAR) and not any(inside(point, o, seen.size, 0) for o in others)
        if whole and alone and (look := around(point, REACH)):
            if ratio >= ROUND:
                found["round"].append((look, box))
            elif ratio <= ELONGATED:
                found["elongated"].append((look, box))
    each = min(EACH, max(1, min(map(len, found.values()))))
    for name in SHAPES:
        for look, box in found[name][:each]:
            fields = {"answer": name, "grader": "closed", "rules": {"options": list(SHAPES)}}
            place = {"regions": ((1, box),), "expert": (look_into(look),)}
            yield "shape_at", {"question": SHAPE.format(*look), **fields, **place}
