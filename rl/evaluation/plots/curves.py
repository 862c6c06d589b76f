"""How training went: one small panel for each question that one asks of a run, over its steps.

A panel is drawn only if some step reports its values. The faint line is what each step reported, the strong one its
running mean; each line carries its name at its end, so no legend has to be matched with colours.
"""

# matplotlib leaves its keyword arguments untyped, so strict checking knows none of its methods wholly.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeGuard

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from rl.evaluation.plots.style import INK, LINES, MUTED, literal, new_figure, spread, tidy

Row = Mapping[str, float | None]
"""One training step: "step" and what it measured. Missing, None and NaN are gaps, not zeros."""

PER_KIND = "tool_call_rate/"
"""Prefix of the keys with the tool-call rate of one kind of question, e.g. tool_call_rate/count."""

MOST_KINDS = 6
"""Lines of kinds in one panel: those that the most steps asked, for no eye follows more."""

LONGEST_NAME = 12
"""Letters of a name at a line's end; the rest does not fit."""

_CELL = (3.9, 2.5)
"""Width and height of one panel with all that belongs to it, inches."""

_AXES = (0.14, 0.17, 0.57, 0.69)
"""Where its axes lie in it (left, bottom, width, height), so that neighbours are alike; names fill the right."""


class Panel(NamedTuple):
    """One question of a run."""

    title: str
    lines: Mapping[str, str]
    """Key in the rows, name at the line."""
    share: bool = False
    """Values from 0 to 1, shown in percent."""
    from_zero: bool = True
    """The axis starts at 0, so that a small change looks small."""


PANELS = (
    Panel("Reward", {"reward_mean": "mean"}, from_zero=False),
    Panel("Right answers while training", {"answer": ""}, share=True),
    Panel("Episodes that call a tool", {"tool_call_rate": "all"}, share=True),
    Panel("Invalid turns and calls", {"invalid_rate": ""}, share=True),
    Panel("Entropy of a token, nats", {"entropy": ""}),
    Panel("KL to the reference", {"kl": ""}),
    Panel("|log-prob. vLLM - trainer|", {"logprob_difference": ""}),
)


def panels(rows: Sequence[Row]) -> list[Panel]:
    """The panels that `rows` have values for, the kinds of question asked most added to the tool calls."""
    keys = {key for row in rows for key, value in row.items() if _finite(value)}
    steps = {key: sum(_finite(row.get(key)) for row in rows) for key in keys if key.startswith(PER_KIND)}
    most = sorted(sorted(steps), key=lambda key: -steps[key])[:MOST_KINDS]
    kinds = {key: key.removeprefix(PER_KIND) for key in sorted(most)}
    asked = [
        panel._replace(lines={**panel.lines, **kinds}) if "tool_call_rate" in panel.lines else panel for panel in PANELS
    ]
    kept = [panel._replace(lines={key: name for key, name in panel.lines.items() if key in keys}) for panel in asked]
    return [panel for panel in kept if panel.lines]


def draw_panel(panel: Panel, rows: Sequence[Row]) -> Figure:
    """One panel alone, for a page that puts as many side by side as its width takes."""
    figure = new_figure(*_CELL)
    _draw(figure.add_axes(_AXES), panel, rows)
    return figure


def draw_curves(rows: Sequence[Row]) -> Figure:
    """All panels in one picture; it says so where there is nothing to draw."""
    found = panels(rows)
    if not found:
        figure = new_figure(6, 1.5)
        figure.text(0.5, 0.5, "No training steps were reported.", ha="center", va="center", color=MUTED)
        return figure
    across = min(3 if len(found) <= 6 else 4, len(found))
    down = math.ceil(len(found) / across)
    figure = new_figure(_CELL[0] * across, _CELL[1] * down)
    left, bottom, width, height = _AXES
    for place, panel in enumerate(found):
        row, column = divmod(place, across)
        axes = (column + left) / across, (down - 1 - row + bottom) / down, width / across, height / down
        _draw(figure.add_axes(axes), panel, rows)
    return figure


def _draw(axes: Axes, panel: Panel, rows: Sequence[Row]) -> None:
    tidy(axes)
    axes.set_title(panel.title, loc="left", fontsize=10, fontweight="bold", color=INK)
    axes.set_xlabel("step", fontsize=8.5, color=MUTED, loc="right")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=True))
    ends: list[tuple[float, str, str]] = []
    last, least = 0.0, 0.0
    for place, (key, name) in enumerate(panel.lines.items()):
        steps, values = _series(rows, key)
        colour = INK if panel.share and len(panel.lines) > 1 and place == 0 else LINES[place % len(LINES)]
        smooth = _running_mean(values, max(1, len(values) // 12))
        axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.3)
        marker = "o" if len(values) == 1 else None
        axes.plot(steps, smooth, color=colour, linewidth=2.0, solid_capstyle="round", marker=marker)
        ends.append((float(smooth[-1]), name, colour))
        last, least = max(last, float(steps[-1])), min(least, float(values.min()))
    _fit(axes, panel, least)
    _name_lines(axes, ends, last, panel.share)


def _fit(axes: Axes, panel: Panel, least: float) -> None:
    if panel.share:
        top = max(0.1, axes.get_ylim()[1]) if "invalid_rate" in panel.lines else 1.0
        axes.set_ylim(-0.02 * top, 1.04 * top)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    elif panel.from_zero:
        axes.set_ylim(bottom=1.05 * least)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))


def _name_lines(axes: Axes, ends: Sequence[tuple[float, str, str]], last: float, share: bool) -> None:
    """Names and last values at the ends of the lines, moved apart where they would touch."""
    low, high = axes.get_ylim()
    heights = spread([end[0] for end in ends], 0.095 * (high - low), high)
    for (value, name, colour), height in zip(ends, heights, strict=True):
        shown = _percent(value) if share else f"{value:.2g}" if abs(value) < 1 else f"{value:.2f}"
        axes.annotate(
            f"{literal(name, LONGEST_NAME) if name else ''} {shown}".strip(),
            (last, height),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=colour,
            annotation_clip=False,
        )


def _percent(value: float) -> str:
    value = round(value, 6)  # a running mean of ones is one but for its last digits
    return f"{value:.0%}" if value in (0.0, 1.0) or 0.1 <= value < 0.99 else f"{value:.1%}"


def _series(rows: Sequence[Row], key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = [(row.get("step"), row.get(key)) for row in rows]
    points = [(step, value) for step, value in known if _finite(step) and _finite(value)]
    table = np.array(sorted(points), dtype=np.float64)
    return table[:, 0], table[:, 1]


def _running_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Mean of the `width` values up to each (fewer at the start): it never knows the future."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(0, end - width)
    return (sums[end] - sums[start]) / (end - start)


def _finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
