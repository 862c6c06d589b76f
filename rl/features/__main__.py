"""`python -m rl.features [GRAPH ...]`: which feature works on which graph, proved by running it; as a Markdown table.

GRAPH is a name that `python -m graphs list` tells, or `path/file.py`; without one, every graph that ships and every
example. Exit status: 0 every cell is green or impossible for a stated reason, 1 one failed. Research use only, not a
medical device.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

from rl.features.case import Shared
from rl.features.server import Server
from rl.features.table import PAGE, Cell, as_json, columns, graphs, markdown, needs_server, prove, write
from tools.run.openmp import sleep_while_waiting


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m rl.features", description=__doc__)
    parser.add_argument("graphs", nargs="*", metavar="GRAPH", default=graphs(), help="default: all")
    parser.add_argument("--columns", metavar="NAMES", help=f"with commas, of {', '.join(columns())} (default: all)")
    parser.add_argument("--quick", action="store_true", help="leave out the columns that need a vLLM server")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--write", action="store_true", help="put the table into docs/graphs.md; needs all of it")
    asked = parser.parse_args(argv)
    if asked.write and (asked.graphs != graphs() or asked.columns or asked.quick):
        parser.error("--write needs all graphs and columns: leave out GRAPH, --columns and --quick")
    chosen = asked.columns.split(",") if asked.columns else list(columns())
    if unknown := [name for name in chosen if name not in columns()]:
        parser.error(f"got the columns {', '.join(unknown)}, expected some of {', '.join(columns())}")
    asked.columns = [name for name in chosen if not (asked.quick and needs_server(columns()[name]))]
    return asked


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    sleep_while_waiting()
    asked = parse(sys.argv[1:] if argv is None else argv)

    def told(cell: Cell) -> None:
        print(f"{cell.column} on {cell.graph}: {cell.ends} {cell.said}", file=sys.stderr)

    with ExitStack() as stack:
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.ERROR)  # what goes wrong is in the table
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="medvista-features-")))
        shared = Shared.opened(folder)
        if any(needs_server(columns()[name]) for name in asked.columns):
            shared = shared.with_server(stack.enter_context(Server.started(folder)))
        with redirect_stdout(sys.stderr):  # vLLM tells of itself there; only the table belongs on standard output
            cells = asyncio.run(prove(shared, asked.graphs, asked.columns, told))
    if asked.write:
        write(PAGE, cells)
    print(json.dumps(as_json(cells), indent=2) if asked.json else markdown(cells))
    return int(any(cell.ends == "failed" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
