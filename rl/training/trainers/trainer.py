"""What a trainer is to all others, and what it trains on.

A trainer takes a start checkpoint and tasks, has their episodes sampled by the one rollout function there is
(`GroupSampler.group`, rl/training/group_sampler.py), and leaves checkpoints, which the publisher finds while training
goes on. All of a training lies in its run's folder: a trainer holds no state, and calling `train` again goes on where
the last call was cut off. What it cannot do it says before a run starts, as findings.

Another trainer is one file or folder beside this one, or an entry point of another package (find.py). Its settings are
the config's `rl.trainer_options`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rl.config import Config
from rl.tasks.task import Task
from rl.training.preflight.finding import Finding
from rl.trajectories.check import TrainingRow


@dataclass(frozen=True)
class TrainingSample(TrainingRow):
    """One exact token sequence of L ids that trains: beside ids [L], mask [L], the log-probabilities with which they
    were sampled [L] and the model's other inputs (`mm`, by name), what its episode earned it."""

    advantage: list[float]
    """[L]; of a token that the policy did not sample it is never read."""
    group: str
    """The task that its episode was sampled for; a group's episodes are compared with each other."""
    episode: str
    """The id of its trajectory; an episode of several rows has as many samples."""


@dataclass(frozen=True)
class TrainingJob:
    """What is to be trained."""

    run: Path
    """The run's folder: checkpoints are left in it, and what is needed to resume."""
    config: Config
    start: Path
    """The Hugging Face folder to begin with."""
    tasks: Sequence[Task]
    """`rl.steps * rl.prompts_per_step` of them, a group of episodes for each."""
    tick: Callable[[], None] = lambda: None
    """To be called every now and then, for the progress bar."""


@dataclass(frozen=True)
class GpuNeed:
    """GPUs that a training takes."""

    count: int
    mend: str
    """Where their number is set."""


class Trainer(ABC):
    """One way to train."""

    @abstractmethod
    async def train(self, job: TrainingJob) -> None:
        """Trains to the end, or goes on to it. Raises TrainingError where that fails."""

    @abstractmethod
    def saved(self, run: Path) -> Mapping[int, Path]:
        """The checkpoints that training has saved so far, by step; one may still be being written."""

    @abstractmethod
    def final(self, run: Path) -> Path:
        """Where the weights at the end of training lie, once it has ended."""

    def as_transformers_saves(self, folder: Path, base: Path, out: Path) -> Path:
        """A saved folder as transformers would have written it: itself, or a mended copy in `out`.

        `base` is what training began with. Raises CheckpointError.
        """
        return folder

    @abstractmethod
    def findings(self, config: Config) -> Iterator[Finding]:
        """What of the configuration it does not know or cannot train by."""

    def check_rows(self, config: Config, rows: int) -> None:
        """Raises ConfigError where episodes of so many rows cannot be trained as it is asked to."""
        return

    def gpus(self, config: Config) -> GpuNeed | None:
        """GPUs that it takes on this machine; None where it takes none, or others too."""
        return None

    def commands(self, config: Config, run: Path) -> Mapping[str, Sequence[str]]:
        """The command lines of programs that it starts, by name."""
        return {}


def weights_after(step: int) -> str:
    """The name of the weights after so many steps, by which trajectories tell what sampled them."""
    return f"step-{step:05d}"


FIRST_VERSION = weights_after(0)
"""Of the weights that training began with."""
