"""Names from outside are drawn as they are: in every picture of a report and of an evaluation, and in its tables."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from rl.evaluation.figures import Episodes, summary
from rl.evaluation.plots import draw_accuracy as draw_evaluated
from rl.evaluation.plots import draw_coverage, draw_looking
from rl.evaluation.report.accuracy import draw_accuracy
from rl.evaluation.report.curves import draw_curves, draw_panel, panels
from rl.evaluation.report.drawing import as_png, as_svg
from rl.evaluation.report.metrics import summarise
from rl.evaluation.report.schema import Report
from rl.evaluation.table import markdown
from rl.trajectories.record import Trajectory

MakeEpisode = Callable[..., Trajectory]
NAMES = {
    "$x_$": "$x_$",
    "$\\frac{1}{2$": "$\\frac{1}{2$",
    "a $ and b": "a $ and b",
    "$5 or $6": "$5 or $6",
    r"\$x$": r"\$x$",
    "50 % {} %s": "50 % {} %s",
    "two\nlines\tand \x00 more": "two lines and more",
    "": "(no name)",
    " \n ": "(no name)",
    "\u05d0\u05d1\u05d2 \u202e": "\u05d0\u05d1\u05d2",
    "\U0001f9e0 brain": "\u25a1 brain",
    "_hidden": "_hidden",
    "x" * 5000: "x" * 47 + "\u2026",
}
"""What a kind is called, and what a picture shows of it where there is room."""


def drawn(figure: Figure) -> set[str]:
    """Every text of a figure, as it appears: it was drawn without being taken for a formula."""
    assert as_png(figure).startswith(b"\x89PNG") and b"<svg" in as_svg(figure)
    found: set[str] = set()
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        shown, is_formula = text._preprocess_math(text.get_text())  # pyright: ignore[reportAttributeAccessIssue]
        assert is_formula is False, text.get_text()
        found.add(shown)
    return found


def evaluated(made: list[Trajectory]) -> Any:
    """A policy's figures."""
    held = [replace(each, rows=[{"ids": [], "sampled": []}]) for each in made]
    return summary(
        Episodes(held, confidence={each.id: 0.5 for each in held}), {"scan": (100, 100), "other": (100, 100)}
    )


@pytest.mark.filterwarnings("error")
def test_kinds_are_drawn_as_they_are(episode: MakeEpisode) -> None:
    made = [episode(f"s/{number}", kind=name) for number, name in enumerate(NAMES)]
    report = Report.model_validate({"conditions": {"trained": summarise(made)}})
    assert {*NAMES.values()} <= drawn(draw_accuracy(report.conditions))
    assert {name[:20] for name in NAMES.values()} <= {
        text[:20] for text in drawn(draw_accuracy(report.conditions, 4.2))
    }
    assert {*NAMES.values()} <= drawn(draw_evaluated({"first": evaluated(made), "second": evaluated(made)}))


@pytest.mark.filterwarnings("error")
def test_policies_are_drawn_as_they_are(episode: MakeEpisode) -> None:
    made = [episode("a"), episode("a", right=False), episode("b")]
    shown = {name.replace("_", " ").strip() for name in NAMES.values()}
    policies: dict[str, Any] = dict.fromkeys(NAMES, evaluated(made))
    for draw in (draw_evaluated, draw_looking):
        assert shown <= drawn(draw(policies))
    assert shown <= {text.partition(", AURC")[0] for text in drawn(draw_coverage(policies))}
    report = Report.model_validate({"conditions": dict.fromkeys(NAMES, summarise(made))})
    assert shown <= {text.removesuffix(" 67%") for text in drawn(draw_accuracy(report.conditions))}


def test_kinds_at_the_end_of_a_curve() -> None:
    names = [name for name in NAMES if name]
    for some in (names[:6], names[6:12], names[12:]):
        kinds = {f"tool_call_rate/{name}": 0.25 for name in some}
        rows = [{"step": float(step), "tool_call_rate": 0.5, **kinds} for step in range(3)]
        shown = {NAMES[name] if len(NAMES[name]) <= 12 else f"{NAMES[name][:11]}\u2026" for name in some}
        for figure in (draw_curves(rows), draw_panel(panels(rows)[0], rows)):
            assert shown <= {text.removesuffix(" 25%") for text in drawn(figure)}


def test_a_table_keeps_its_columns() -> None:
    lines = markdown(["kind", "n"], [["a|b\nc", "1"]]).splitlines()
    assert lines[2] == "| a\\|b c | 1 |"
