"""Names from outside are drawn as they are: in every picture of a report and of an evaluation, and in its tables."""

from collections.abc import Callable

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from rl.evaluation.markdown import markdown
from rl.evaluation.metrics import Episodes, measure
from rl.evaluation.plots.accuracy import draw_accuracy
from rl.evaluation.plots.coverage import draw_coverage
from rl.evaluation.plots.curves import draw_curves, draw_panel, panels
from rl.evaluation.plots.looking import draw_looking
from rl.evaluation.plots.style import as_png, as_svg
from rl.evaluation.schema import Policy
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


def measured(made: list[Trajectory]) -> Policy:
    return measure(Episodes(made, confidence={each.id: 0.5 for each in made}, sizes={"i": (200, 200)}))


@pytest.mark.filterwarnings("error")
def test_kinds_are_drawn_as_they_are(episode: MakeEpisode) -> None:
    made = [episode(f"s/{number}", kind=name) for number, name in enumerate(NAMES)]
    policies = {"first": measured(made), "second": measured(made)}
    assert {*NAMES.values()} <= drawn(draw_accuracy(policies))
    assert {name[:20] for name in NAMES.values()} <= {text[:20] for text in drawn(draw_accuracy(policies, 4.2))}


@pytest.mark.filterwarnings("error")
def test_policies_are_drawn_as_they_are(episode: MakeEpisode) -> None:
    shown = {name.replace("_", " ").strip() for name in NAMES.values()}
    policies = dict.fromkeys(NAMES, measured([episode("a"), episode("a", right=False), episode("b")]))
    for draw in (draw_accuracy, draw_looking):
        assert shown <= drawn(draw(policies))
    assert shown <= {text.partition(", AURC")[0] for text in drawn(draw_coverage(policies))}


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
