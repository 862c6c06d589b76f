"""A graph as a picture, drawn here: LangGraph's own drawing asks a server on the internet or needs graphviz.

Nodes stand in rows by their distance from the start; edges that lead back, and conditional ones, are bent and dashed.
"""

from pathlib import Path
from typing import Any

from graphs.app import catalogue
from graphs.app.source import GraphSource

INCHES_ACROSS, INCHES_DOWN = 2.2, 1.1
ENDS = {"__start__": "start", "__end__": "end"}
Edges = list[tuple[str, str, bool]]
"""(from, to, whether conditional)."""


def write(source: GraphSource, path: Path) -> Path:
    """Draws a graph into a PNG file; returns the path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawable = catalogue.drawable(source)
    edges: Edges = [(edge.source, edge.target, bool(edge.conditional)) for edge in drawable.edges]
    places = layout(list(drawable.nodes), edges)
    across = max(x for x, _ in places.values()) - min(x for x, _ in places.values())
    down = max(y for _, y in places.values())
    figure: Any = Figure(figsize=(INCHES_ACROSS * (across + 1.6), INCHES_DOWN * (down + 1)))
    FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set_xlim(min(x for x, _ in places.values()) - 0.8, max(x for x, _ in places.values()) + 0.8)
    axes.set_ylim(down + 0.5, -0.5)
    for start, end, conditional in edges:
        _arrow(axes, places[start], places[end], conditional)
    for name, (x, y) in places.items():
        box = {"boxstyle": "round,pad=0.5", "facecolor": "#eef3fb" if name not in ENDS else "#ffffff"}
        axes.text(x, y, ENDS.get(name, name), ha="center", va="center", bbox=box, fontsize=11, zorder=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path


def layout(nodes: list[str], edges: Edges) -> dict[str, tuple[float, float]]:
    """(column, row) of each node: rows by the distance from the first node, the end last, columns centred on 0."""
    rows = {nodes[0]: 0}
    waiting = [nodes[0]]
    while waiting:
        at = waiting.pop(0)
        for source, target, _ in edges:
            if source == at and target not in rows:
                rows[target] = rows[at] + 1
                waiting.append(target)
    deepest = max(row for name, row in rows.items() if name != "__end__")
    placed = {name: deepest + 1 if name == "__end__" else rows.get(name, deepest) for name in nodes}
    columns = {row: [name for name in nodes if placed[name] == row] for row in placed.values()}
    return {
        name: (place - (len(names) - 1) / 2, float(row))
        for row, names in columns.items()
        for place, name in enumerate(names)
    }


def _arrow(axes: Any, source: tuple[float, float], target: tuple[float, float], conditional: bool) -> None:
    straight = target[1] - source[1] == 1
    style: dict[str, Any] = {"arrowstyle": "-|>", "color": "#44546a", "shrinkA": 16, "shrinkB": 16}
    style["linestyle"] = "--" if conditional else "-"
    style["connectionstyle"] = "arc3,rad=0" if straight else f"arc3,rad={0.45 if target[1] > source[1] else 0.35}"
    axes.annotate("", xy=target, xytext=source, arrowprops=style, zorder=1)
