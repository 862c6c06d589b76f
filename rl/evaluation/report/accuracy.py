"""Which condition is right how often: a dot with its 95 % interval for each, over all questions and for each kind."""

# matplotlib leaves its keyword arguments untyped, so strict checking knows none of its methods wholly.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from rl.evaluation.report.drawing import INK, MUTED, RULE, literal, new_figure, style_of, tidy
from rl.evaluation.report.schema import Condition, Figures

_STEP = 0.19
"""Height between two conditions of a row; rows are 1 apart."""
_FIRST_STEP = 0.29
"""The same in the first row, whose dots carry names."""

_LETTERS = 5
"""Of a kind's name for each inch of the picture's width: names then take less than a half of it."""


def draw_accuracy(conditions: Mapping[str, Condition | None], width: float = 9.6) -> Figure:
    """The picture, `width` inches wide. A condition that is missing, or has no such question, has no dot there."""
    found = {name: condition for name, condition in conditions.items() if condition is not None}
    kinds = sorted({kind for condition in found.values() for kind in condition.by_kind})
    rows = ["all", *kinds]
    figure = new_figure(width, 0.85 + 0.72 * len(rows))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    tidy(axes)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(len(rows) - 0.5, -0.72)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_yticks(range(len(rows)), ["all", *(literal(kind, round(_LETTERS * width)) for kind in kinds)])
    axes.tick_params(axis="y", labelsize=10, labelcolor=INK)
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.set_title("Right answers on held-out tasks", loc="left", fontsize=10.5, fontweight="bold", color=INK)
    for row in range(1, len(rows)):
        axes.axhline(row - 0.5, color=RULE, linewidth=0.8)
    for place, (name, condition) in enumerate(found.items()):
        level = place - (len(found) - 1) / 2
        _dot(axes, condition, level * _FIRST_STEP - 0.1, name, named=True)
        for row, kind in enumerate(kinds, start=1):
            if kind in condition.by_kind:
                _dot(axes, condition.by_kind[kind], row + level * _STEP, name, named=False)
    if not found:
        axes.text(0.5, 0, "Nothing was evaluated.", ha="center", va="center", color=MUTED)
    return figure


def _dot(axes: Axes, figures: Figures, height: float, condition: str, named: bool) -> None:
    if figures.accuracy is None:
        return
    style = style_of(condition)
    low = figures.accuracy if figures.ci95[0] is None else figures.ci95[0]
    high = figures.accuracy if figures.ci95[1] is None else figures.ci95[1]
    axes.plot([low, high], [height, height], color=style.colour, linewidth=2.2, alpha=0.55, solid_capstyle="round")
    axes.plot(figures.accuracy, height, style.marker, color=style.colour, markersize=6.5, markeredgecolor="white")
    if named:
        right = high < 0.62
        axes.annotate(
            f"{literal(style.label)} {figures.accuracy:.0%}",
            (high if right else low, height),
            xytext=(7 if right else -7, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize=9,
            color=style.colour,
            fontweight="bold" if condition == "trained" else "normal",
        )
