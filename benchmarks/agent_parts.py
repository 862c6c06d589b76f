"""What the benchmarks that start a server share: their options, their tasks, and a server as a run starts it."""

import argparse
from pathlib import Path

from agent.serving.server_command import ServerOptions
from benchmarks import finding
from rl.config import LAPTOP, Config
from rl.tasks.phantoms.tasks import phantom_tasks
from rl.tasks.task import Task
from tools.images.store import ImageStore

SPLIT = "validation"
CONCURRENCY = 16
LOG = finding.FOLDER / "vllm.log"
"""Where the server writes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every benchmark that starts a server."""
    parser.add_argument("--config", type=Path, default=LAPTOP, help="limits, tools and rewards (default: laptop.yaml)")
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY, help="episodes at once (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: runs/benchmarks/NAME.json)")


def draw_tasks(images: Path, count: int) -> list[Task]:
    """Phantom tasks of the validation split, their pictures put into a store in `images`."""
    return list(phantom_tasks(ImageStore(images), SPLIT, count))


def server_options(config: Config, concurrency: int) -> ServerOptions:
    """A server as a run starts it, with room for `concurrency` requests in one batch."""
    return ServerOptions(
        max_model_len=config.episode.context,
        max_num_seqs=concurrency,
        extra_arguments=config.serving.extra_arguments,
    )
