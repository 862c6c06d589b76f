"""Whether two engines agree on the same tokens: vLLM's log-probabilities against those of transformers.

Each trajectory's exact ids and pixels go through transformers under the weights that sampled them. In float32 the two
agree to about 1e-5; a misaligned token, mask or pixel shows as a difference of whole units. Beside it stands how far
the trainer is, whose softmax has a share for ids that are never sampled (rl/training/trainers/openrlhf/sampling.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from agent.chat.record.ledger import Ledger
from agent.encoder import Encoder
from rl.rollout.run_parts import RunParts
from rl.trajectories.check import TrainingRow, training_row
from rl.trajectories.record import Trajectory

SLACK = 1e-3
"""Natural-log units by which a greedy token may lie under the best one: two engines round differently."""


@dataclass(frozen=True)
class Agreement:
    """Differences over all sampled ids of some trajectories."""

    trajectories: int
    mean: float
    """Mean absolute difference of log-probabilities, natural log; NaN without ids."""
    most: float
    not_greedy: int
    """Trajectories with an id that was not the most probable one: for greedy ones, answers of other weights."""
    trainer_mean: float = float("nan")
    """As `mean`, against the log-probabilities that the trainer computes."""
    trainer_most: float = float("nan")


@dataclass(frozen=True)
class Replayed:
    """One row: of each sampled id |log-probability here - where it was sampled|."""

    differences: list[float]
    """Among the ids that may be sampled: whether the engines agree."""
    trainer: list[float]
    """Among all ids, as the trainer computes it."""
    greedy: bool
    """Whether each was the most probable one."""


class Replay:
    """A checkpoint in transformers, in float32, that rows of tokens are put through again."""

    def __init__(self, checkpoint: Path, encoder: Encoder, temperature: float = 1.0) -> None:
        """`temperature`: at which rows were sampled, from the whole distribution; 1 for greedy ones."""
        import torch
        from transformers import AutoModelForImageTextToText

        load = cast(Any, AutoModelForImageTextToText).from_pretrained
        self.model = load(checkpoint, dtype=torch.float32).eval()
        self.encoder, self.temperature = encoder, temperature

    def differences(self, row: TrainingRow) -> Replayed:
        """The row's sampled ids under this checkpoint."""
        import torch

        ids = torch.tensor([row.ids])
        with torch.no_grad():
            logits = self.model(input_ids=ids, **self.encoder.forward_inputs(ids, row.mm)).logits[0, :-1]
        logits = logits.float() / self.temperature
        said = torch.tensor(row.mask[1:], dtype=torch.bool)
        there = torch.tensor(row.logprobs[1:])[said]
        chosen: Any = logits.gather(1, ids[0, 1:, None])[:, 0]
        trainer = (chosen - logits.logsumexp(dim=-1))[said]
        logits[:, list(self.encoder.banned)] = -torch.inf
        here = (chosen - logits.logsumexp(dim=-1))[said]
        greedy = not bool(((logits.max(dim=-1).values - chosen)[said] > SLACK).any())
        return Replayed((here - there).abs().tolist(), (trainer - there).abs().tolist(), greedy)


def compare(
    checkpoint: Path, trajectories: Sequence[Trajectory], parts: RunParts, temperature: float = 1.0
) -> Agreement:
    """Replays every row of the trajectories through transformers under `checkpoint`; `temperature` as of `Replay`."""
    replay = Replay(checkpoint, parts.family, temperature)
    differences: list[float] = []
    trainer: list[float] = []
    not_greedy = 0
    for trajectory in trajectories:
        greedy = True
        for ledger in trajectory.rows:
            row = replay.differences(training_row(Ledger.from_plain(ledger), parts.family, parts.store, idle=True))
            differences += row.differences
            trainer += row.trainer
            greedy = greedy and row.greedy
        not_greedy += not greedy
    return Agreement(len(trajectories), *_mean_and_most(differences), not_greedy, *_mean_and_most(trainer))


def _mean_and_most(values: Sequence[float]) -> tuple[float, float]:
    """NaN without values."""
    if not values:
        return float("nan"), float("nan")
    return sum(values) / len(values), max(values)
