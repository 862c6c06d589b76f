"""What is trained here otherwise than by OpenRLHF as it is: OpenRLHF with flags that belong together, set behind the
run's own. Another loop is a Trainer (rl/training/trainers/trainer.py) with all of its methods."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rl.config import Config
from rl.training.preflight.finding import Finding
from rl.training.trainers.openrlhf.trainer import OpenRLHF
from rl.training.trainers.trainer import TrainingJob

FLAGS = {"algo.advantage.estimator": "rloo"}


class NewTrainer(OpenRLHF):
    """OpenRLHF under FLAGS, whatever the run says of them."""

    async def train(self, job: TrainingJob) -> None:
        """As OpenRLHF does."""
        await super().train(replace(job, config=with_flags(job.config)))

    def findings(self, config: Config) -> Iterator[Finding]:
        """What OpenRLHF says of the flags."""
        yield from super().findings(with_flags(config))

    def commands(self, config: Config, run: Path) -> Mapping[str, Sequence[str]]:
        """OpenRLHF's command line."""
        return super().commands(with_flags(config), run)


def with_flags(config: Config) -> Config:
    """The configuration under FLAGS."""
    rl = config.rl.model_copy(update={"openrlhf": {**config.rl.openrlhf, **FLAGS}})
    return config.model_copy(update={"rl": rl})
