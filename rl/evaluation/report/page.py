"""report.html: one file that shows what policies reached, to people who were not there.

A training run and an evaluation write the same page; a run's adds what only training has. Everything is inside it
(pictures as data URLs, no script, nothing from a network), so it can be mailed, kept and opened anywhere. All text is
escaped by the template. What was not measured says so.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from rl.evaluation.plots.accuracy import draw_accuracy
from rl.evaluation.plots.coverage import draw_coverage
from rl.evaluation.plots.curves import Row, draw_panel, panels
from rl.evaluation.plots.looking import draw_looking
from rl.evaluation.plots.style import as_svg, styles_of
from rl.evaluation.report import words
from rl.evaluation.report.examples import changes, choose, pair_up
from rl.evaluation.report.scenes import scan_url, scene
from rl.evaluation.schema import CONDITIONS, Difference, Evaluation, Figures, Policy, Report
from rl.trajectories.record import Trajectory
from tools.images.store import ImageStore

_HERE = Path(__file__).parent
NARROW = 4.2
"""Inches of a picture for a telephone."""
GOALS = {
    "over_tools_untrained": ("the same policy with tools, untrained", 24.21),
    "over_no_tools": ("the same policy without tools", 19.1),
    "over_warmup": ("the policy after warm-up only", 0.0),
}
"""What each gain is over, and the points that it has to reach: the headline gaps of MedVistaGym (arXiv 2601.07107)."""
STAGE_NAMES = {"base": "base policy", "warmup": "warm-up", "rl": "RL", "evaluate": "evaluation"}


def render_page(
    name: str,
    report: Evaluation | Report,
    shown: Mapping[str, Sequence[Trajectory]],
    store: ImageStore,
    rows: Sequence[Row] = (),
    count: int = 8,
) -> bytes:
    """The page of the folder called `name`, as UTF-8.

    `shown`: episodes of one policy, or of two to compare, of which `count` tasks are shown; `rows`: training steps
    (plots/curves.py). Raises ImageError where `store` does not hold an image of theirs.
    """
    policies = _policies(report)
    measured = {key: each for key, each in policies.items() if each is not None}
    styles = styles_of(policies)
    pairs = pair_up(list(shown.values()))
    examples = choose(pairs, count)
    titles = [styles_of(shown)[key].label for key in shown]
    scans = dict.fromkeys(str(image) for pair in examples for image in pair[-1].task["images"])
    sure = any(each.abstention.curve.coverage for each in measured.values())
    page = _environment().get_template("page.html")
    return page.render(
        name=name,
        css=Markup((_HERE / "style.css").read_text()),  # our own file, not text from a run
        training=report if isinstance(report, Report) else None,
        settings=report.settings if isinstance(report, Evaluation) else {},
        policies=policies,
        measured=measured,
        styles=styles,
        parts=_parts(measured),
        comparisons=_comparisons(report, {key: style.label for key, style in styles.items()}),
        stage_names=STAGE_NAMES,
        accuracy=_picture(draw_accuracy(measured)),
        accuracy_narrow=_picture(draw_accuracy(measured, NARROW)),
        looking=_picture(draw_looking(measured)),
        looking_narrow=_picture(draw_looking(measured, NARROW)),
        coverage=_picture(draw_coverage(measured)) if sure else None,
        curves=[(panel.title, _picture(draw_panel(panel, rows))) for panel in panels(rows)],
        changes=changes(pairs),
        pairs=len(pairs),
        titles=titles,
        examples=[
            (pair[-1].task, [(title, scene(each, store)) for title, each in zip(titles, pair, strict=True)])
            for pair in examples
        ],
        scans={image: (scan_url(image, store), *store.get(image).size) for image in scans},
    ).encode()


def _policies(report: Evaluation | Report) -> Mapping[str, Policy | None]:
    if isinstance(report, Evaluation):
        return report.policies
    return {key: report.conditions.get(key) for key in dict.fromkeys([*CONDITIONS, *report.conditions])}


def _parts(policies: Mapping[str, Policy]) -> dict[str, list[Figures | None]]:
    """Each kind of question, and with several sets each set, with the figures of every policy in turn."""
    sets = sorted({name for each in policies.values() for name in each.by_set})
    found: dict[str, list[Figures | None]] = {}
    for one in sets:
        several = len(sets) > 1
        parts = [each.by_set.get(one) for each in policies.values()]
        if several:
            found[one] = list(parts)
        for kind in sorted({kind for part in parts if part for kind in part.by_kind}):
            label = f"{one}: {kind}" if several else kind
            found[label] = [part.by_kind.get(kind) if part else None for part in parts]
    return found


def _comparisons(
    report: Evaluation | Report, labels: Mapping[str, str]
) -> list[tuple[str, float | None, Difference | None]]:
    """What is compared with what, the points that it has to reach if any, and the difference."""
    if isinstance(report, Report):
        return [(f"over {over}", goal, report.gain[key]) for key, (over, goal) in GOALS.items()]
    return [(f"{labels[each.first]} over {labels[each.second]}", None, each) for each in report.differences]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for each in (words.share, words.share_range, words.points, words.number, words.duration):
        environment.filters[each.__name__] = each
    return environment


def _picture(figure: Figure) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(as_svg(figure)).decode()}"
