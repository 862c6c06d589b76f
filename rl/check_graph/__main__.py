"""`python -m rl.check_graph GRAPH [overrides]`: a few real episodes of a graph, and whether their rows are exact.

GRAPH is a name that `python -m graphs list` tells, `module:factory` or `path/file.py:factory`. Its episodes run on
phantom tasks on a vLLM server, which is started and stopped here, with the embedded base; then every row goes through
transformers. Overrides are those of rl.train (`episode.context=1024`, `rl.trained_calls.nodes=[reader]`).

Exit status: 0 exact, 1 it must not be trained, 2 it could not be checked. Research use only, not a medical device.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from graphs.app.default_checkpoint import embedded
from rl.config import LAPTOP, Config, ConfigError, load_config
from tools.run.openmp import sleep_while_waiting


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m rl.check_graph", description=__doc__)
    parser.add_argument("graph", help="a catalogue name, module:factory or path/file.py:factory")
    parser.add_argument("--episodes", type=int, default=4, help="how many (default: %(default)s)")
    parser.add_argument("--images", type=int, default=1, help="images of each question (default: %(default)s)")
    parser.add_argument("--config", type=Path, default=LAPTOP, help="the configuration it is to be trained with")
    parser.add_argument("--checkpoint", type=Path, default=embedded(), help="default: the embedded base")
    parser.add_argument("--server", metavar="URL", help="a vLLM server that runs already and holds the checkpoint")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("overrides", nargs="*", help="dotted overrides, such as episode.context=1024")
    return parser.parse_intermixed_args(argv)


def chosen_config(asked: argparse.Namespace) -> Config:
    """The configuration with the graph in it. Raises ConfigError."""
    from graphs.app.loading import absolute
    from rl.training.preflight.names import tools
    from rl.training.preflight.trainable import check_trainable

    config = load_config(asked.config, asked.overrides).model_copy(update={"graph": absolute(asked.graph)})
    if unknown := [each.said for each in tools(config)]:
        raise ConfigError(" ".join(unknown))
    check_trainable(config)
    return config


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    sleep_while_waiting()
    asked = parse(sys.argv[1:] if argv is None else argv)
    try:
        config = chosen_config(asked)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from agent.policies.policy import PolicyError
    from agent.serving.checkpoint import CheckpointError
    from agent.serving.server_command import ServerError
    from rl.check_graph.episodes import check_episodes
    from rl.check_graph.table import as_json, table, verdict
    from tools.errors import ImageError

    try:
        with tempfile.TemporaryDirectory(prefix="medvista-check-") as folder:
            options = (asked.episodes, asked.images, asked.checkpoint, asked.server, Path(folder))
            reports = asyncio.run(check_episodes(config, *options))
    except (CheckpointError, ServerError, PolicyError, ImageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    exact, words = verdict(asked.graph, reports)
    print(json.dumps(as_json(asked.graph, reports), indent=2) if asked.json else f"{table(reports)}\n\n{words}")
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
