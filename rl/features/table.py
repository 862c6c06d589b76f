"""The table: graphs by features, each cell proved by running it; as Markdown for docs/graphs.md, and as plain data."""

import asyncio
import importlib
import logging
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from graphs.app import catalogue
from rl.config import ROOT
from rl.features import columns as folder
from rl.features.case import Case, FeatureError, Shared

Ends = Literal["yes", "impossible", "failed"]
EXAMPLES = ROOT / "examples"
PAGE = ROOT / "docs" / "graphs.md"
MARK = "<!-- From here on made by python -m rl.features --write -->"
MARKS = {"yes": "yes", "failed": "FAILED"}


@dataclass(frozen=True)
class Cell:
    """One feature on one graph."""

    graph: str
    column: str
    ends: Ends
    said: str = ""
    """Why it is impossible, or what went wrong."""


def columns() -> dict[str, ModuleType]:
    """The columns' modules by name, sorted."""
    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__))
    return {name: importlib.import_module(f"{folder.__name__}.{name}") for name in names}


def graphs() -> list[str]:
    """Every graph that ships, and every example."""
    return [*catalogue.graphs(), *(f"examples/{path.name}" for path in sorted(EXAMPLES.glob("*.py")))]


def needs_server(column: ModuleType) -> bool:
    """Whether a column is proved on a vLLM server."""
    return getattr(column, "SERVED", False)


async def prove(
    shared: Shared, graphs: Iterable[str], chosen: Iterable[str], told: Callable[[Cell], None]
) -> list[Cell]:
    """The cells of some graphs and columns, one after the other; each is `told` as it is known."""
    found: list[Cell] = []
    for column in chosen:
        for graph in graphs:
            cell = await _cell(shared, graph, column)
            told(cell)
            found.append(cell)
    return found


async def _cell(shared: Shared, graph: str, column: str) -> Cell:
    """One cell; whatever a feature raises on a graph is what it failed with."""
    place = shared.folder / f"{column}-{Path(graph).stem}"
    place.mkdir()
    name = str(ROOT / graph) if graph.endswith(".py") else graph
    proof: Awaitable[str | None] = columns()[column].prove(Case(name, shared, place))
    (ended,) = await asyncio.gather(proof, return_exceptions=True)
    if isinstance(ended, Exception):
        logging.getLogger(__name__).error("%s on %s", column, graph, exc_info=ended)
        return Cell(graph, column, "failed", f"{type(ended).__name__}: {ended}")
    if isinstance(ended, BaseException):
        raise ended
    return Cell(graph, column, "impossible" if ended else "yes", ended or "")


def markdown(cells: Sequence[Cell]) -> str:
    """The table, what is impossible and why below it, and what each column proves."""
    graphs, names = (list(dict.fromkeys(getattr(cell, each) for cell in cells)) for each in ("graph", "column"))
    known = {(cell.graph, cell.column): cell for cell in cells}
    reasons = list(dict.fromkeys(cell.said for cell in cells if cell.ends == "impossible"))

    def shown(cell: Cell) -> str:
        return MARKS.get(cell.ends) or f"no ({reasons.index(cell.said) + 1})"

    titles = [columns()[name].TITLE for name in names]
    lines = ["| | " + " | ".join(titles) + " |", "|---|" + "---|" * len(names)]
    lines += [f"| {graph} | " + " | ".join(shown(known[graph, name]) for name in names) + " |" for graph in graphs]
    lines += ["", *(f"({number}) Impossible: {reason}." for number, reason in enumerate(reasons, 1)), ""]
    lines += [f"- **{title}**: {_caption(columns()[name])}" for title, name in zip(titles, names, strict=True)]
    failed = [f"FAILED: {cell.column} on {cell.graph}: {cell.said}" for cell in cells if cell.ends == "failed"]
    return "\n".join([*lines, *(["", *failed] if failed else [])])


def write(page: Path, cells: Sequence[Cell]) -> None:
    """Puts the table in place of what stands behind the page's mark. Raises FeatureError where there is none."""
    head, mark, _ = page.read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise FeatureError(f"Got {page}, expected the line {MARK!r} in it, behind which the table stands.")
    page.write_text(f"{head}{mark}\n\n{markdown(cells)}\n", encoding="utf-8")


def _caption(column: ModuleType) -> str:
    return " ".join((column.__doc__ or "").split())


def as_json(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Words only."""
    return [asdict(cell) for cell in cells]
