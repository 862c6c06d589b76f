"""`python -m graphs ask IMAGE... --question "..."`, `swap FOLDER`, `list`, `draw GRAPH`. Research use only, not a
medical device.

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
from tools.errors import ImageError
from tools.private_files import WriteError

REFUSED = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
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
    arguments = parser.parse_args(argv)
    if arguments.command == "list":
        for name, source in catalogue.graphs().items():
            print(f"{name}: {catalogue.summary(source)}")
        return 0
    if arguments.command == "draw":
        source = catalogue.graphs()[arguments.graph]
        print(catalogue.draw(source) if arguments.png is None else drawing.write(source, arguments.png))
        return 0
    try:
        if arguments.command == "swap":
            done = connection.swap(arguments.checkpoint)
            print(f"{done.previous} -> {done.version}: nothing was sampled for {done.seconds:.2f} s.")
            return 0
        return ask.run(arguments, asking.error)
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
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
