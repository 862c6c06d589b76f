"""What the benchmarks that run whole episodes share: the training run's own graph, over any checkpoint.

`rl.rollout.open_run` opens these parts from a run's folder; here they come from a configuration and a checkpoint, so
that a benchmark needs no run. Limits, tools, rewards and temperature are those of the configuration.
"""

import argparse
from pathlib import Path
from typing import Any, cast

from agent.encoder import Encoder
from agent.limits import Limits
from agent.policies.policy import Sampling
from agent.serving.launch import ServerOptions
from agent.turn import Agent
from benchmarks import finding
from graphs.reasoning import compile_reasoning
from rl.config import LAPTOP, Config
from rl.rollout import NoPolicy, RunParts, toolbox
from rl.tasks.phantoms.tasks import load
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


def open_parts(config: Config, encoder: Encoder, images: Path) -> RunParts:
    """The graph with a store in `images` that remembers nothing yet; each episode brings its policy."""
    limits = Limits(config.episode.turns, config.episode.turn_tokens, config.episode.context)
    store = ImageStore(images)
    agent = Agent(
        policy=cast(Any, NoPolicy()),
        encoder=encoder,
        toolbox=toolbox(config),
        store=store,
        limits=limits,
        sampling=Sampling(temperature=0.0),
    )
    return RunParts(config, encoder, store, limits, compile_reasoning(agent))


def draw_tasks(images: Path, count: int) -> list[Task]:
    """Phantom tasks of the validation split, their pictures put into a store in `images`."""
    return list(load(ImageStore(images), SPLIT, count))


def server_options(config: Config, concurrency: int) -> ServerOptions:
    """A server as a run starts it, with room for `concurrency` requests in one batch."""
    return ServerOptions(
        max_model_len=config.episode.context,
        max_num_seqs=concurrency,
        extra_arguments=config.serving.extra_arguments,
    )
