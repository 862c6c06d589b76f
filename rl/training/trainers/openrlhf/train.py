"""Runs openrlhf.cli.train_ppo_ray with the trainer of rows_per_episode.py: `python -m ...openrlhf.train FLAGS...`.

OpenRLHF takes its trainer's class by name when it begins to train and has no flag for another. The name is given our
subclass in this process; no file of OpenRLHF is changed.
"""

import runpy
from typing import Any, cast

import openrlhf.trainer.ppo_trainer as trainer
import ray

from rl.training.trainers.openrlhf.rows_per_episode import RowsTrainer


def main() -> None:
    """Trains by OpenRLHF's own command line."""
    cast(Any, trainer).PPOTrainer = cast(Any, ray).remote(RowsTrainer)
    runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__")


if __name__ == "__main__":
    main()
