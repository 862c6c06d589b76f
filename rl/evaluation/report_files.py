"""An evaluation's results as files: evaluation.json for programs, evaluation.md and pictures for people.

All of them are made from the trajectories in the folder, so they can be made again at any time, and after each policy.
"""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, cast

from agent.encoder import Encoder
from rl.evaluation.answer_confidence import answer_probability
from rl.evaluation.figures import Episodes, difference, summary
from rl.evaluation.grounding import Sizes
from rl.evaluation.plan import Settings
from rl.evaluation.plots import draw_accuracy, draw_coverage, draw_looking
from rl.evaluation.report.drawing import as_png
from rl.evaluation.table import write_tables
from rl.trajectories.record import Trajectory
from tools.images.store import ImageStore
from tools.private_files import write_whole

NAME = "evaluation"


def write_report(folder: Path, settings: Settings, found: Mapping[str, Episodes], store: ImageStore) -> dict[str, Any]:
    """Writes the files into `folder` and returns what evaluation.json holds."""
    sizes = {name: _sizes(episodes.asked, store) for name, episodes in found.items()}
    report: dict[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "policies": {name: summary(episodes, sizes[name]) for name, episodes in found.items()},
        "differences": [
            {"first": second, "second": first, **difference(found[second].asked, found[first].asked)}
            for first, second in combinations(found, 2)
        ],
    }
    checked = cast("dict[str, Any]", _null_if_nan(report))
    write_whole(folder / f"{NAME}.json", (json.dumps(checked, indent=2, allow_nan=False) + "\n").encode())
    write_whole(folder / f"{NAME}.md", write_tables(report).encode())
    drawn = {"accuracy": draw_accuracy, "looking": draw_looking, "coverage": draw_coverage}
    for name, draw in drawn.items():
        write_whole(folder / f"{name}.png", as_png(draw(checked["policies"])))
    return checked


def confidences(episodes: Sequence[Trajectory], encoder: Encoder) -> dict[str, float]:
    """The probability of each episode's answer by its id; of those that have one."""
    known = {each.id: answer_probability(each, encoder) for each in episodes}
    return {name: value for name, value in known.items() if value is not None}


def _sizes(episodes: Sequence[Trajectory], store: ImageStore) -> Sizes:
    images = {image for each in episodes if each.task["regions"] for image in each.task["images"]}
    return {image: store.get(image).size for image in images}


def _null_if_nan(value: object) -> object:
    """The same in which NaN, which was not measured, is null."""
    if isinstance(value, dict):
        return {name: _null_if_nan(each) for name, each in cast("dict[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_null_if_nan(each) for each in cast("list[object]", value)]
    return None if isinstance(value, float) and math.isnan(value) else value
