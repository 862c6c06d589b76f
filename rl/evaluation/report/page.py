"""report.html: one file that shows what a run came to, to people who were not there.

Everything is inside it (pictures as data URLs, no script, nothing from a network), so it can be mailed, kept and opened
anywhere. All text is escaped by the template. What was not measured says so.
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from rl.evaluation.report import words
from rl.evaluation.report.accuracy import draw_accuracy
from rl.evaluation.report.curves import Row, draw_panel, panels
from rl.evaluation.report.drawing import as_svg, style_of
from rl.evaluation.report.examples import Pair, changes, choose
from rl.evaluation.report.scenes import scan_url, scene
from rl.evaluation.report.schema import CONDITIONS, Report
from tools.images.store import ImageStore
from tools.private_files import write_whole

_HERE = Path(__file__).parent

COMPARISONS = {
    "over_tools_untrained": ("the same policy with tools, untrained", 24.21),
    "over_no_tools": ("the same policy without tools", 19.1),
    "over_warmup": ("the policy after warm-up only", 0.0),
}
"""What each gain is over, and the points that it has to reach: the headline gaps of MedVistaGym (arXiv 2601.07107)."""


STAGE_NAMES = {"base": "base policy", "warmup": "warm-up", "rl": "RL", "evaluate": "evaluation"}


def write_page(
    run_folder: Path, report: Report, rows: Sequence[Row], pairs: Sequence[Pair], store: ImageStore, count: int = 8
) -> Path:
    """Writes `run_folder`/report.html, whole or not at all, and returns its path.

    `rows` are training steps (see rl/evaluation/report/curves.py); of `pairs`, episodes before and after training of
    the same tasks, `count` are shown. Raises ImageError where `store` does not hold an image of theirs.
    """
    return write_whole(run_folder / "report.html", render_page(run_folder.name, report, rows, pairs, store, count))


def render_page(
    name: str, report: Report, rows: Sequence[Row], pairs: Sequence[Pair], store: ImageStore, count: int = 8
) -> bytes:
    """The page of the run called `name`, as UTF-8."""
    shown = choose(pairs, count)
    scans = dict.fromkeys(str(image) for _, after in shown for image in after.task["images"])
    page = _environment().get_template("page.html")
    return page.render(
        name=name,
        css=Markup((_HERE / "style.css").read_text()),  # our own file, not text from a run
        report=report,
        conditions={key: report.conditions.get(key) for key in dict.fromkeys([*CONDITIONS, *report.conditions])},
        kinds=sorted({kind for each in report.conditions.values() if each for kind in each.by_kind}),
        comparisons=COMPARISONS,
        stage_names=STAGE_NAMES,
        accuracy=_picture(draw_accuracy(report.conditions)),
        accuracy_narrow=_picture(draw_accuracy(report.conditions, 4.2)),
        curves=[(panel.title, _picture(draw_panel(panel, rows))) for panel in panels(rows)],
        changes=changes(pairs),
        pairs=len(pairs),
        examples=[(after.task, scene(before, store), scene(after, store)) for before, after in shown],
        scans={image: (scan_url(image, store), *store.get(image).size) for image in scans},
    ).encode()


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {
        "share": words.share,
        "share_range": words.share_range,
        "points": words.points,
        "number": words.number,
        "duration": words.duration,
        "style": style_of,
    }
    environment.filters.update(filters)
    return environment


def _picture(figure: Figure) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(as_svg(figure)).decode()}"
