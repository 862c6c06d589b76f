"""How well the finding tools find, on the labelled images of `shared/data`, with 95 % bootstrap intervals over images.

- count_objects on nuclei (2018 Data Science Bowl): the median relative error of fluorescence images, the mean absolute
  error of stained ones.
- locate_objects on white cells of blood smears (BCCD): the share of labelled cells with a found one's centre in their
  box, the share of images with the right number, and how well the best box overlaps.
- find_lungs on chest x-rays: the median overlap (IoU) of the boxes of both lungs.

Each figure is given for both halves of its images, so that a poor fit shows; images kept back decide. Nuclei in
fluorescence are halved by a hash of the file's name: threshold, halo and weight of brightness were chosen on half A;
half B was looked at three times, after rounds of that. Older numbers in `tools/find/objects.py` were chosen with looks
at all images. The others are halved by their order: places of the lungs were fitted on the even ones, and both halves
were looked at while variants were chosen.
"""

import argparse
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import finding
from rl.evaluation.statistics import COVERED, Estimate, bootstrap_mean
from tools.evidence import Evidence
from tools.find.count_objects import count_objects
from tools.find.find_lungs import find_lungs
from tools.find.locate_objects import locate_objects
from tools.geometry import PixelBox, intersection_over_union
from tools.images.load import load_image

RESAMPLES = 10_000
WHITE_CELLS = {"colour": "purple", "smallest": 90}
"""How a policy asks for white cells: what Giemsa stains purple, not as small as platelets."""

Record = dict[str, Any]


def by_order(place: int, record: Record) -> str:
    """Even or odd, by its place in the list."""
    return ("even", "odd")[place % 2]


def by_name(place: int, record: Record) -> str:
    """A or B, by a hash of the file's name."""
    return "AB"[hashlib.sha256(record["file"].encode()).digest()[0] % 2]


@dataclass(frozen=True)
class Figure:
    """One number to reach, from a value an image (or a lung, or a cell)."""

    name: str
    target: str
    values: Callable[[Path, Sequence[Record]], list[float]]
    folder: str
    kept: Callable[[Record], bool] = lambda record: True
    median: bool = False
    half: Callable[[int, Record], str] = by_order


def relative_errors(folder: Path, records: Sequence[Record]) -> list[float]:
    """|count - labelled| / labelled of each image."""
    return [abs(_count(folder, each) - each["nuclei"]) / each["nuclei"] for each in _shown(records)]


def absolute_errors(folder: Path, records: Sequence[Record]) -> list[float]:
    """|count - labelled| of each image."""
    return [float(abs(_count(folder, each) - each["nuclei"])) for each in _shown(records)]


def cells_found(folder: Path, records: Sequence[Record]) -> list[float]:
    """1 for each labelled white cell with the centre of a found one in its box."""
    return [
        float(any(_centre_in(found, cell) for found in boxes))
        for boxes, cells in _cells(folder, records)
        for cell in cells
    ]


def cells_overlap(folder: Path, records: Sequence[Record]) -> list[float]:
    """The best found box's IoU with each labelled white cell."""
    return [
        max((intersection_over_union(found, cell) for found in boxes), default=0.0)
        for boxes, cells in _cells(folder, records)
        for cell in cells
    ]


def cells_overlapped(folder: Path, records: Sequence[Record]) -> list[float]:
    """1 for each labelled white cell that a found box overlaps with an IoU of at least one half."""
    return [float(overlap >= 0.5) for overlap in cells_overlap(folder, records)]


def exact_counts(folder: Path, records: Sequence[Record]) -> list[float]:
    """1 for each image with as many found as labelled."""
    return [float(len(boxes) == len(cells)) for boxes, cells in _cells(folder, records)]


def lung_overlaps(folder: Path, records: Sequence[Record]) -> list[float]:
    """The IoU of each lung's box."""
    overlaps: list[float] = []
    for each in _shown(records):
        found = find_lungs.apply({"image": 1}, [load_image(folder / each["file"])])
        for region, side in zip(found.regions, ("right", "left"), strict=True):
            x, y, width, height = each["boxes"][side]
            overlaps.append(intersection_over_union(region.box, (x, y, x + width, y + height)))
    return overlaps


FIGURES = (
    Figure(
        "count_objects, fluorescence: median relative error",
        "<= 0.06",
        relative_errors,
        "dsb2018",
        lambda record: record["stain"] == "fluorescence",
        median=True,
        half=by_name,
    ),
    Figure(
        "count_objects, stained: mean absolute error",
        "<= 12",
        absolute_errors,
        "dsb2018",
        lambda record: record["stain"] == "brightfield",
    ),
    Figure("locate_objects, white cells: recall", ">= 0.98", cells_found, "bccd"),
    Figure("locate_objects, white cells: recall at IoU 0.5", "-", cells_overlapped, "bccd"),
    Figure("locate_objects, white cells: exact count", ">= 0.94", exact_counts, "bccd"),
    Figure("locate_objects, white cells: mean IoU", "-", cells_overlap, "bccd"),
    Figure("find_lungs: median IoU", ">= 0.75", lung_overlaps, "cxr_lungs", median=True),
)


def measure(data: Path, wanted: str) -> list[tuple[str, str, str, Estimate]]:
    """(figure, target, which images, estimate) of every figure whose name holds `wanted`."""
    rows: list[tuple[str, str, str, Estimate]] = []
    for figure in FIGURES:
        if wanted not in figure.name:
            continue
        folder = data / figure.folder
        records: list[Record] = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
        halves: dict[str, list[Record]] = {}
        for place, record in enumerate(records):
            if figure.kept(record):
                halves.setdefault(figure.half(place, record), []).append(record)
        found = {which: figure.values(folder, halves[which]) for which in sorted(halves)}
        for which, values in {"all": [each for half in found.values() for each in half], **found}.items():
            estimate = bootstrap_median(values) if figure.median else bootstrap_mean(values, RESAMPLES)
            rows.append((figure.name, figure.target, which, estimate))
    return rows


def bootstrap_median(values: Sequence[float], seed: int = 0) -> Estimate:
    """The median of `values` with its percentile bootstrap interval, as in rl.evaluation.statistics."""
    sample = np.asarray(values, np.float64)
    drawn = np.random.default_rng(seed).integers(sample.size, size=(RESAMPLES, sample.size))
    low, high = np.percentile(np.median(sample[drawn], axis=1), COVERED)
    return Estimate(float(np.median(sample)), float(low), float(high), sample.size)


def _count(folder: Path, record: Record) -> int:
    found = count_objects.apply({"image": 1, "objects": "auto", "box": None}, [load_image(folder / record["file"])])
    return round(found.measurements[0].value)


_located: dict[Path, list[PixelBox]] = {}


def _cells(folder: Path, records: Sequence[Record]) -> Iterable[tuple[list[PixelBox], list[PixelBox]]]:
    """(found boxes, labelled boxes) of the white cells of each image."""
    for each in _shown(records):
        file = folder / each["file"]
        if file not in _located:
            _located[file] = [region.box for region in _white_cells(file).regions]
        yield _located[file], [tuple(cell["box"]) for cell in each["objects"] if cell["label"] == "WBC"]


def _white_cells(file: Path) -> Evidence:
    arguments = {name: field.default for name, field in locate_objects.args_schema.model_fields.items()}
    return locate_objects.apply({**arguments, **WHITE_CELLS, "image": 1}, [load_image(file)])


def _centre_in(found: PixelBox, box: PixelBox) -> bool:
    x, y = (found[0] + found[2]) / 2, (found[1] + found[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _shown(records: Sequence[Record]) -> Iterable[Record]:
    return tqdm(records, leave=False, disable=None)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.find_accuracy", description=__doc__)
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=os.environ.get("MEDVISTA_DATA", beside), metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="TEXT", help="figures whose name holds this")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: runs/benchmarks/NAME.json)")
    asked = parser.parse_args()
    rows = measure(Path(asked.data), asked.only)
    table = [
        (f"{estimate.mean:.3f}", f"[{estimate.low:.3f}, {estimate.high:.3f}]", str(estimate.n), which, target, name)
        for name, target, which, estimate in rows
    ]
    print(finding.table(("found", "95 % interval", "n", "images", "target", "of"), table))
    found = {f"{name} ({which})": [estimate.mean, *estimate.ci95, estimate.n] for name, _, which, estimate in rows}
    print(finding.write("find_accuracy", {"figures": found}, asked.out))


if __name__ == "__main__":
    main()
