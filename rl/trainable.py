"""Whether a run can train its graph, found before anything starts: is it there, has it our schema, do the flags fit."""

import tempfile
from pathlib import Path
from typing import Any

from agent.encoder import Encoder
from graphs.loading import GraphError, find_graph
from rl.config import REASONING, ROOT, Base, Config, ConfigError

FLAGS: dict[str, tuple[Any, ...]] = {
    "actor.loss_agg_mode": (None, "token-mean"),
    "actor.policy_loss_type": (None, "ppo"),
    "algo.advantage.estimator": ("rloo", "dr_grpo", "group_norm", "reinforce_baseline", "reinforce"),
    "train.dynamic_batch_enable": (None, False),
    "train.async_enable": (None, False),
    "reward.overlong_buffer_len": (None,),
    "reward.stop_properly_penalty_coef": (None,),
}
"""Values of OpenRLHF's flags under which an episode of several rows weighs as one episode; None: left out."""


def check_trainable(config: Config, encoder: Encoder | None = None) -> None:
    """Raises ConfigError where a run cannot train its graph, or is asked for what that graph cannot do.

    `encoder`: of the run's checkpoint; without one that of the embedded policy.
    """
    calls = config.rl.trained_calls
    if config.graph == REASONING:
        if calls.nodes or calls.tags:
            raise ConfigError("Got rl.trained_calls for the reasoning graph, all of whose calls train: leave it out.")
        return
    if config.rl.regrounding.enabled:
        raise ConfigError(
            f"Got rl.regrounding.enabled=true for the graph {config.graph!r}, expected false: EVR forks the turns of "
            "the reasoning graph, and knows no other (rl/forks.py)."
        )
    try:
        of_turns = find_graph(config.graph).of_turns
        _try_to_open(config, encoder or Encoder.from_checkpoint(ROOT / Base().checkpoint))
    except GraphError as error:
        raise ConfigError(f"graph: {error}") from error
    if of_turns and (calls.nodes or calls.tags):
        raise ConfigError(
            f"Got rl.trained_calls for {config.graph!r}, whose calls are all in one conversation: leave it out."
        )
    _check_flags(config)


def _try_to_open(config: Config, encoder: Encoder) -> None:
    """Compiles the graph. Raises GraphError."""
    from agent.limits import Limits
    from rl.graph import open_graph
    from rl.no_policy import NoPolicy
    from tools.images.store import ImageStore
    from tools.registry import load_tools

    limits = Limits(config.episode.turns, config.episode.turn_tokens, config.episode.context)
    with tempfile.TemporaryDirectory() as folder:
        store, tools = ImageStore(Path(folder)), load_tools(list(config.episode.tools))
        open_graph(config.graph, NoPolicy(), tools, encoder=encoder, store=store, limits=limits)


def _check_flags(config: Config) -> None:
    flags = config.rl.openrlhf
    ranks = int(flags.get("actor.num_nodes", 1)) * int(flags.get("actor.num_gpus_per_node", 8))
    batch, micro = int(flags.get("train.batch_size", 128)), int(flags.get("rollout.micro_batch_size", 1))
    for of, what in (
        (micro * ranks, f"rollout.micro_batch_size x {ranks} ranks"),
        (config.rl.samples_per_prompt, "rl.samples_per_prompt"),
    ):
        if batch % of:
            raise ConfigError(
                f"Got rl.openrlhf.train.batch_size={batch} for the graph {config.graph!r}, expected a multiple of {of} "
                f"({what}): the rows of its episodes are filled up to whole batches."
            )
    for flag, allowed in FLAGS.items():
        if flags.get(flag) not in allowed:
            expected = " or ".join(repr(each) for each in allowed if each is not None) or "it left out"
            raise ConfigError(
                f"Got rl.openrlhf.{flag}={flags.get(flag)!r} for the graph {config.graph!r}, expected {expected}: with "
                "another, an episode of several rows would not weigh as one (docs/graphs.md)."
            )
