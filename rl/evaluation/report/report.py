"""Everything that a run leaves for people to read: report.json, curves.png, accuracy.png and report.html.

The figures are checked before the first file is written; the page comes last, so that a picture which cannot be drawn
costs no figures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rl.evaluation.report.accuracy import draw_accuracy
from rl.evaluation.report.curves import Row, draw_curves
from rl.evaluation.report.drawing import as_png
from rl.evaluation.report.examples import pair_up
from rl.evaluation.report.page import write_page
from rl.evaluation.report.schema import Report
from rl.trajectories.record import Trajectory
from tools.images.store import ImageStore
from tools.private_files import write_whole


def write_report(
    run_folder: Path,
    report: Mapping[str, Any],
    curves_rows: Sequence[Row],
    episodes_before: Sequence[Trajectory],
    episodes_after: Sequence[Trajectory],
    store: ImageStore,
) -> Report:
    """Writes the four files into `run_folder` and returns the checked report.

    `report` has the parts that rl/evaluation/report/schema.py names; parts may be missing. The episodes before (tools
    untrained) and after (trained) are matched by task. Raises pydantic.ValidationError where a figure is not what the
    schema says, ImageError where `store` does not hold an image that the page shows.
    """
    checked = Report.model_validate(report)
    write_whole(run_folder / "report.json", (checked.model_dump_json(indent=2) + "\n").encode())
    write_whole(run_folder / "curves.png", as_png(draw_curves(curves_rows)))
    write_whole(run_folder / "accuracy.png", as_png(draw_accuracy(checked.conditions)))
    write_page(run_folder, checked, curves_rows, pair_up(episodes_before, episodes_after), store)
    return checked
