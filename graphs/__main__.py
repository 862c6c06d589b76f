"""`python -m graphs ask IMAGE... --question "..."`, `swap FOLDER`, `list`, `draw GRAPH`, `new NAME`. Research use only,
not a medical device.

Exit status: 0 answered (or abstained), 1 the episode ended without an answer, 2 it could not be asked: the message says
what was got, what was expected and how to mend it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.chat.record.ledger import LedgerError
from agent.encoder import EncodingError
from agent.policies.policy import PolicyError
from agent.question import ContextTooSmall
from agent.serving.files import CheckpointError
from agent.serving.server_command import ServerError
from agent.serving.swap import SwapError
from graphs.app import ask, catalogue, connection, drawing
from graphs.app.source import GraphError
from tools.discovery import EntryPointError
from tools.errors import ImageError
from tools.private_files import WriteError
from tools.scaffold import Kind, ScaffoldError, add_arguments, write

REFUSED = 2
TEMPLATES = Path(__file__).parent / "app" / "templates"
PROVE = "python -m rl.features --write  # proves what it gets, and writes the table of docs/graphs.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    try:
        return _run(argv)
    except (
        ImageError,
        CheckpointError,
        ServerError,
        SwapError,
        PolicyError,
        EncodingError,
        LedgerError,
        ContextTooSmall,
        WriteError,
        GraphError,
        EntryPointError,
        ScaffoldError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED


def _run(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m graphs", description="Ask the agent. " + ask.NOTICE)
    commands = parser.add_subparsers(dest="command", required=True)
    asking = commands.add_parser("ask", help="a question about images", description=ask.__doc__, epilog=ask.NOTICE)
    ask.add_arguments(asking)
    swapping = commands.add_parser("swap", help="exchange the weights of the server that questions are put to")
    swapping.add_argument("checkpoint", type=Path, metavar="FOLDER", help="a published version, runs/*/checkpoints/*")
    commands.add_parser("list", help="the graphs there are")
    draw = commands.add_parser("draw", help="a graph as Mermaid text, or as a picture")
    draw.add_argument("graph", choices=list(catalogue.graphs()))
    draw.add_argument("--png", type=Path, metavar="FILE", help="draw it into a PNG file instead")
    add_arguments(commands.add_parser("new", help="begin a graph: write its file and its test"))
    arguments = parser.parse_args(argv)
    if arguments.command == "list":
        for name, source in catalogue.graphs().items():
            print(f"{name}: {catalogue.summary(source)}")
    elif arguments.command == "draw":
        source = catalogue.graphs()[arguments.graph]
        print(catalogue.draw(source) if arguments.png is None else drawing.write(source, arguments.png))
    elif arguments.command == "new":
        kind = Kind(TEMPLATES, "graph", "graphs", catalogue.ENTRY_POINT_GROUP, PROVE)
        print(write(kind, arguments.name, arguments.out))
    elif arguments.command == "swap":
        done = connection.swap(arguments.checkpoint)
        print(f"{done.previous} -> {done.version}: nothing was sampled for {done.seconds:.2f} s.")
    else:
        return ask.run(arguments, asking.error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
