"""The files that an evaluation and a training run leave: JSON for programs, pictures and a page for people.

All of them are made from trajectories, so they can be made again at any time, and after each policy. The figures are
written first and the page last, so that a picture which cannot be drawn costs no figures.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from pydantic import BaseModel

from agent.encoder import Encoder
from rl.evaluation.answer_confidence import answer_probability
from rl.evaluation.markdown import write_tables
from rl.evaluation.metrics import Episodes, difference, measure
from rl.evaluation.plan import Settings
from rl.evaluation.plots.accuracy import draw_accuracy
from rl.evaluation.plots.coverage import draw_coverage
from rl.evaluation.plots.curves import Row, draw_curves
from rl.evaluation.plots.looking import draw_looking
from rl.evaluation.plots.style import as_png
from rl.evaluation.report.page import render_page
from rl.evaluation.schema import Evaluation, Report
from rl.trajectories.record import Trajectory
from tools.images.store import ImageStore
from tools.private_files import write_whole

NAME = "evaluation"


def episodes_of(
    asked: Sequence[Trajectory], store: ImageStore, encoder: Encoder, erased: Sequence[Trajectory] = ()
) -> Episodes:
    """A policy's episodes with what their figures need beside them. Raises ImageError where `store` lacks an image."""
    sure = {each.id: answer_probability(each, encoder) for each in asked}
    images = {image for each in asked if each.task["regions"] for image in each.task["images"]}
    return Episodes(
        asked,
        erased,
        {name: value for name, value in sure.items() if value is not None},
        {image: store.get(image).size for image in images},
    )


def write_evaluation(folder: Path, settings: Settings, found: Mapping[str, Episodes], store: ImageStore) -> None:
    """Writes evaluation.json, evaluation.md, pictures and report.html into `folder`."""
    asked = {name: episodes.asked for name, episodes in found.items()}
    report = Evaluation(
        settings=settings.model_dump(mode="json"),
        policies={name: measure(episodes) for name, episodes in found.items()},
        differences=tuple(difference(second, first, asked) for first, second in combinations(found, 2)),
    )
    _write_json(folder / f"{NAME}.json", report)
    write_whole(folder / f"{NAME}.md", write_tables(report).encode())
    drawn = {"accuracy": draw_accuracy, "looking": draw_looking, "coverage": draw_coverage}
    for name, draw in drawn.items():
        write_whole(folder / f"{name}.png", as_png(draw(report.policies)))
    shown = {name: asked[name] for name in dict.fromkeys((next(iter(asked)), list(asked)[-1]))} if asked else {}
    write_whole(folder / "report.html", render_page(folder.name, report, shown, store))


def write_report(
    folder: Path, report: Report, rows: Sequence[Row], conditions: Mapping[str, Sequence[Trajectory]], store: ImageStore
) -> Path:
    """Writes report.json, curves.png, accuracy.png and report.html of a training run into `folder`; the page's path.

    `rows` are its training steps (plots/curves.py), `conditions` the episodes behind the report's. Raises ImageError
    where `store` does not hold an image that the page shows.
    """
    _write_json(folder / "report.json", report)
    write_whole(folder / "curves.png", as_png(draw_curves(rows)))
    measured = {name: each for name, each in report.conditions.items() if each is not None}
    write_whole(folder / "accuracy.png", as_png(draw_accuracy(measured)))
    shown = {name: conditions.get(name, ()) for name in ("tools_untrained", "trained")}
    return write_whole(folder / "report.html", render_page(folder.name, report, shown, store, rows))


def _write_json(path: Path, report: BaseModel) -> None:
    write_whole(path, (report.model_dump_json(indent=2) + "\n").encode())
