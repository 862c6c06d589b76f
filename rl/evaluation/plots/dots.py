"""Policies side by side: a dot with its 95 % interval for each, in rows of one figure each."""

# matplotlib leaves its keyword arguments untyped, so strict checking knows none of its methods wholly.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from rl.evaluation.plots.style import INK, LONGEST, MUTED, RULE, Style, entitle, literal, new_figure, styles_of, tidy
from rl.evaluation.schema import Mean

WIDTH = 9.6
"""Inches of a picture on a wide page."""
_STEP = 0.14
"""Inches between two policies of a row."""
_LETTERS = 5
"""Of a row's name for each inch of the picture's width: names then take less than a half of it."""
_LEGEND = 2.4
"""Inches of the width for each name in the legend."""


class Row(NamedTuple):
    """One line of dots."""

    label: str
    values: Mapping[str, Mean]
    """By policy."""
    strong: bool = False
    """Its values are written beside its dots."""


def draw_dots(title: str, rows: Sequence[Row], policies: Sequence[str], width: float) -> Figure:
    """The picture, `width` inches wide. What was not measured has no dot."""
    columns = max(1, min(len(policies), int(width / _LEGEND)))
    lines = math.ceil(len(policies) / columns)
    figure = new_figure(width, 0.6 + 0.25 * lines + (0.18 + _STEP * max(1, len(policies))) * len(rows))
    entitle(figure, title)
    axes = figure.add_subplot()
    tidy(axes)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_xlim(-0.015, 1.015)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_yticks(range(len(rows)), [literal(row.label, min(LONGEST, round(_LETTERS * width))) for row in rows])
    axes.tick_params(axis="y", labelsize=9.5, labelcolor=INK)
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if row.strong else "normal")
    for place in range(1, len(rows)):
        axes.axhline(place - 0.5, color=RULE, linewidth=0.8)
    step = min(0.8 / max(1, len(policies)), 0.24)
    for place, (name, style) in enumerate(styles_of(policies).items()):
        _draw(axes, rows, name, style, (place - (len(policies) - 1) / 2) * step)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles, labels, frameon=False, fontsize=8.5, ncols=columns, loc="lower left", bbox_to_anchor=(0, 1)
        )
    else:
        axes.text(0.5, 0, "Nothing was evaluated.", ha="center", va="center", color=MUTED)
    return figure


def _draw(axes: Axes, rows: Sequence[Row], name: str, style: Style, shift: float) -> None:
    label: str | None = literal(style.label)
    for height, row in enumerate(rows):
        value = row.values.get(name)
        if value is None or value.mean is None:
            continue
        low, high = (value.mean if each is None else each for each in value.ci95)
        level = height + shift
        axes.plot([low, high], [level, level], color=style.colour, linewidth=2.2, alpha=0.5, solid_capstyle="round")
        axes.plot(
            value.mean,
            level,
            style.marker,
            color=style.colour,
            markersize=6.5,
            markeredgecolor="white",
            linestyle="none",
            label=label,
        )
        label = None
        if row.strong:
            right = high < 0.9
            axes.annotate(
                f"{value.mean:.1%}",
                (high if right else low, level),
                xytext=(6 if right else -6, 0),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
                fontsize=8,
                color=style.colour,
            )
