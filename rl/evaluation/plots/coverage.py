"""Risk of the answers given, over the share of questions answered, surest first."""

# matplotlib leaves its keyword arguments untyped, so strict checking knows none of its methods wholly.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from rl.evaluation.plots.style import MUTED, entitle, literal, new_figure, styles_of, tidy
from rl.evaluation.schema import Policy


def draw_coverage(policies: Mapping[str, Policy]) -> Figure:
    """One line for each policy that told how sure it was."""
    sure = {name: each.abstention for name, each in policies.items() if each.abstention.curve.coverage}
    figure = new_figure(6.4, 3.8 + 0.25 * math.ceil(len(sure) / 2))
    entitle(figure, "Wrong answers among the surest")
    axes = figure.add_subplot()
    tidy(axes)
    axes.set_xlabel("share of questions answered, surest first", fontsize=8.5, color=MUTED, loc="right")
    styles = styles_of(policies)
    for name, each in sure.items():
        coverage, risk, style = each.curve.coverage, each.curve.risk, styles[name]
        label = f"{literal(style.label)}, AURC {each.aurc:.3f}"
        axes.plot(coverage, risk, color=style.colour, linewidth=1.8, label=label)
        axes.plot(coverage[-1], risk[-1], style.marker, color=style.colour, markersize=6)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlim(0, 1.02)
    axes.set_ylim(-0.02, max(0.1, axes.get_ylim()[1]))
    if sure:
        axes.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    else:
        axes.text(0.5, 0.05, "No policy told how sure it was.", ha="center", color=MUTED)
    return figure
