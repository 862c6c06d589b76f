"""The style that all pictures share: colours, axes, labels at the lines, and how a figure becomes a file.

Figures are made without pyplot, so nothing global is touched and any thread may draw. A page takes SVG, which stays
sharp at any size; folders get PNG. Policies differ by marker as well as by colour, for who sees colours otherwise.
"""

# matplotlib leaves its keyword arguments untyped, so strict checking knows none of its methods wholly.
# pyright: reportUnknownMemberType=false

import io
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = "#1c2733"
MUTED = "#5b6875"
RULE = "#e3e8ed"
LINES = ("#0b5fa5", "#c8553d", "#2a7f62", "#8a5fb0", "#b07d12", "#4f6d7a")
"""Of lines, or policies without a style of their own, in order; each has a contrast of 3:1 or more on white."""
MARKERS = "oD^sPvX*"


class Style(NamedTuple):
    """How a policy is called and drawn."""

    label: str
    colour: str
    marker: str


STYLES = {
    "no_tools": Style("no tools", "#66727f", "s"),
    "tools_untrained": Style("tools, untrained", "#c8553d", "^"),
    "warmup": Style("warm-up", "#1f8a7d", "D"),
    "trained": Style("trained", "#0b4f8a", "o"),
}

LONGEST = 48
"""Characters of a name in a picture; the rest is cut off, so that the picture keeps room for what it shows."""
UNKNOWN = "\N{WHITE SQUARE}"
"""Stands for what the font does not have, emoji among it."""


def literal(name: str, longest: int = LONGEST) -> str:
    """A name from outside (a kind of question, a policy) as matplotlib draws it: as it is, and never as a formula.

    In one line; an empty one is said to be so, and a long one is cut.
    """
    words = " ".join("".join(char if char.isprintable() else " " for char in name).split()) or "(no name)"
    short = words if len(words) <= longest else words[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"
    drawn = "".join(char if ord(char) in _characters() else UNKNOWN for char in short)
    return drawn.replace("$", r"\$")


@cache
def _characters() -> frozenset[int]:
    """The characters of the font that pictures are drawn with."""
    from matplotlib import font_manager

    fonts: Any = font_manager
    return frozenset(fonts.get_font(fonts.findfont(fonts.FontProperties())).get_charmap())


def styles_of(names: Iterable[str]) -> dict[str, Style]:
    """The style of each policy: its own for the conditions of a training run, else by its place."""
    return {
        name: STYLES.get(name)
        or Style(name.replace("_", " "), LINES[place % len(LINES)], MARKERS[place % len(MARKERS)])
        for place, name in enumerate(names)
    }


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def entitle(figure: Figure, title: str) -> None:
    """The title over the whole width; what is drawn below gets the room that is left."""
    figure.set_layout_engine("constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold", color=INK)


def tidy(axes: Axes) -> None:
    """No frame, quiet ticks, a faint grid behind the values."""
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=MUTED)


def spread(heights: Sequence[float], gap: float, ceiling: float) -> list[float]:
    """The heights moved until neighbours are `gap` apart and none is above `ceiling`; in the order given."""
    upwards = sorted(range(len(heights)), key=lambda index: heights[index])
    placed = list(heights)
    for lower, upper in pairwise(upwards):
        placed[upper] = max(placed[upper], placed[lower] + gap)
    for index in reversed(upwards):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


def as_png(figure: Figure, dpi: int = 160) -> bytes:
    """The figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()


def as_svg(figure: Figure) -> bytes:
    """The figure as an SVG file, its letters as outlines: every machine shows it alike. Same figure, same bytes."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "medvista", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
