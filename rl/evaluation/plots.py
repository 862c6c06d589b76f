"""An evaluation for people who look: accuracy by kind, how the policies look, and the risk of what they answer."""

# matplotlib leaves its keyword arguments untyped, so strict checking knows none of its methods wholly.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from rl.evaluation.report.drawing import INK, LINES, MUTED, RULE, STYLES, Style, literal, new_figure, tidy

MARKERS = "oD^sPvX*"
_STEP = 0.14
"""Inches between two policies of a row."""


class Row(NamedTuple):
    """One line of dots."""

    label: str
    values: Mapping[str, Mapping[str, Any]]
    """{"mean", "ci95"} by policy."""
    strong: bool = False


def style(name: str, place: int) -> Style:
    """A policy's colour and marker: its own for the four standing conditions, else by its place."""
    return STYLES.get(name) or Style(name.replace("_", " "), LINES[place % len(LINES)], MARKERS[place % len(MARKERS)])


def draw_accuracy(policies: Mapping[str, Any]) -> Figure:
    """Right answers: over all, for each set and each kind."""
    rows = [Row("all questions", _values(policies, "accuracy"), strong=True)]
    sets = sorted({name for each in policies.values() for name in each["by_set"]})
    if len(sets) > 1:
        rows.append(Row("mean of sets", _values(policies, "macro_over_sets"), strong=True))
    for one in sets:
        parts = {name: each["by_set"].get(one) for name, each in policies.items()}
        known = {name: part for name, part in parts.items() if part}
        if len(sets) > 1:
            rows.append(Row(one, {name: part["accuracy"] for name, part in known.items()}, strong=True))
        kinds = sorted({kind for part in known.values() for kind in part["by_kind"]})
        rows += [
            Row(
                f"{one}: {kind}" if len(sets) > 1 else kind,
                {name: part["by_kind"][kind]["accuracy"] for name, part in known.items() if kind in part["by_kind"]},
            )
            for kind in kinds
        ]
    return _dots("Right answers, with 95 % intervals over images", rows, policies)


def draw_looking(policies: Mapping[str, Any]) -> Figure:
    """Whether right answers rest on looking, and what is said when there is nothing left to see."""
    pairs = {
        "right, evidence in place": "accuracy_with_evidence",
        "old answer, evidence erased": "old_answer_without_evidence",
        "abstains, evidence erased": "abstained_without_evidence",
        "visual hallucination rate": "visual_hallucination_rate",
    }
    rows = [
        Row("calls a tool", _values(policies, "tool_call_rate")),
        Row("right, and had looked there", _values(policies, "right_for_the_right_reason")),
        Row("IoU of looks", _values(policies, "iou")),
        *(Row(label, _values(policies, "counterfactual", key)) for label, key in pairs.items()),
    ]
    measured = [row for row in rows if any(_known(value) for value in row.values.values())]
    return _dots("Looking, and answering without evidence", measured or rows, policies)


def draw_coverage(policies: Mapping[str, Any]) -> Figure:
    """Risk of the answers given, over the share of questions answered, surest first."""
    figure = new_figure(6.4, 4.2)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    tidy(axes)
    axes.set_title("Wrong answers among the surest", loc="left", fontsize=10.5, fontweight="bold", color=INK)
    axes.set_xlabel("share of questions answered, surest first", fontsize=8.5, color=MUTED, loc="right")
    drawn = False
    for place, (name, each) in enumerate(policies.items()):
        curve = each["abstention"]["curve"]
        if curve["coverage"]:
            looks = style(name, place)
            label = f"{literal(looks.label)}, AURC {each['abstention']['aurc']:.3f}"
            axes.plot(curve["coverage"], curve["risk"], color=looks.colour, linewidth=1.8, label=label)
            axes.plot(curve["coverage"][-1], curve["risk"][-1], looks.marker, color=looks.colour, markersize=6)
            drawn = True
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlim(0, 1.02)
    axes.set_ylim(-0.02, max(0.1, axes.get_ylim()[1]))
    if drawn:
        axes.legend(frameon=False, fontsize=8.5, loc="upper left")
    else:
        axes.text(0.5, 0.05, "No policy told how sure it was.", ha="center", color=MUTED)
    return figure


def _values(policies: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """For each policy what stands under these keys, one in the other."""
    return {name: reduce(getitem, path, each) for name, each in policies.items()}


def _known(value: Any) -> bool:
    """Whether a figure was measured."""
    return value is not None and value["mean"] is not None and not math.isnan(value["mean"])


def _dots(title: str, rows: Sequence[Row], policies: Mapping[str, Any]) -> Figure:
    figure = new_figure(8.6, 0.95 + (0.18 + _STEP * len(policies)) * len(rows))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    tidy(axes)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_xlim(-0.015, 1.015)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_yticks(range(len(rows)), [literal(row.label) for row in rows])
    axes.tick_params(axis="y", labelsize=9.5, labelcolor=INK)
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if row.strong else "normal")
    for place in range(1, len(rows)):
        axes.axhline(place - 0.5, color=RULE, linewidth=0.8)
    step = min(0.8 / max(1, len(policies)), 0.24)
    for place, name in enumerate(policies):
        _draw(axes, rows, name, style(name, place), (place - (len(policies) - 1) / 2) * step)
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=26)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        columns = min(4, len(handles))
        axes.legend(
            handles, labels, frameon=False, fontsize=8.5, ncols=columns, loc="lower left", bbox_to_anchor=(0, 1)
        )
    return figure


def _draw(axes: Axes, rows: Sequence[Row], name: str, looks: Style, shift: float) -> None:
    label: str | None = literal(looks.label)
    for height, row in enumerate(rows):
        value = row.values.get(name)
        if value is None or not _known(value):
            continue
        level = height + shift
        axes.plot(value["ci95"], [level, level], color=looks.colour, linewidth=2.2, alpha=0.5, solid_capstyle="round")
        axes.plot(
            value["mean"],
            level,
            looks.marker,
            color=looks.colour,
            markersize=6.5,
            markeredgecolor="white",
            linestyle="none",
            label=label,
        )
        label = None
        if row.strong:
            right = value["ci95"][1] < 0.9
            axes.annotate(
                f"{value['mean']:.1%}",
                (value["ci95"][1 if right else 0], level),
                xytext=(6 if right else -6, 0),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
                fontsize=8,
                color=looks.colour,
            )
