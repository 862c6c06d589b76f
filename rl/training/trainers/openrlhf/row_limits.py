"""Under which of OpenRLHF's flags an episode of several rows weighs as one episode.

An episode of one row is trained as OpenRLHF trains any. How many rows a graph leaves is seen when it runs: in the
rehearsal before a run starts (rl/training/preflight/graph.py), and for each episode that is sampled.
"""

from typing import Any

from rl.config import Config, ConfigError

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


def check_rows(config: Config, rows: int) -> None:
    """Raises ConfigError where episodes of so many rows cannot be trained as OpenRLHF is asked to."""
    if rows <= 1:
        return
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
