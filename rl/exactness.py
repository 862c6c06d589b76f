"""Whether two engines agree on the same tokens: vLLM's log-probabilities against those of transformers.

Each trajectory's exact ids and pixels go through transformers under the weights that sampled them. In float32 the two
agree to about 1e-5; a misaligned token, mask or pixel shows as a difference of whole units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from agent.encoder import Encoder
from agent.ledger import Ledger
from agent.policies.policy import Sampling
from rl.rollout import RunParts
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


class Replay:
    """A checkpoint in transformers, in float32, that rows of tokens are put through again."""

    def __init__(self, checkpoint: Path, encoder: Encoder, sampling: Sampling | None = None) -> None:
        """`sampling`: the temperature and min-p under which rows were sampled, for greedy ones None; top-p is not
        replayed.
        """
        import torch
        from transformers import AutoModelForImageTextToText

        load = cast(Any, AutoModelForImageTextToText).from_pretrained
        self.model = load(checkpoint, dtype=torch.float32).eval()
        self.encoder, self.sampling = encoder, sampling

    def differences(self, row: TrainingRow) -> tuple[list[float], bool]:
        """|log-probability here - where it was sampled| of each sampled id, and whether each was the most probable."""
        import torch

        ids = torch.tensor([row.ids])
        with torch.no_grad():
            logits = self.model(
                input_ids=ids,
                pixel_values=row.pixel_values,
                image_grid_thw=row.image_grid_thw,
                mm_token_type_ids=(ids == self.encoder.image_pad).int(),
            ).logits[0, :-1]
        logits[:, list(self.encoder.banned)] = -torch.inf
        scores: Any = torch.log_softmax(logits.float(), dim=-1)
        said = torch.tensor(row.mask[1:], dtype=torch.bool)
        if self.sampling is not None:
            scores = shaped(scores, ids[0, 1:], self.sampling)
        chosen = scores.gather(1, ids[0, 1:, None])[:, 0][said]
        greedy = not bool((scores.max(dim=-1).values[said] - chosen > SLACK).any())
        return (chosen - torch.tensor(row.logprobs[1:])[said]).abs().tolist(), greedy


def compare(
    checkpoint: Path, trajectories: Sequence[Trajectory], parts: RunParts, sampling: Sampling | None = None
) -> Agreement:
    """Replays every row of the trajectories through transformers under `checkpoint`; `sampling` as of `Replay`."""
    replay = Replay(checkpoint, parts.family.encoder, sampling)
    differences: list[float] = []
    not_greedy = 0
    for trajectory in trajectories:
        greedy = True
        for ledger in trajectory.rows:
            found, best = replay.differences(
                training_row(Ledger.from_plain(ledger), parts.family.encoder, parts.store, idle=True)
            )
            differences += found
            greedy = greedy and best
        not_greedy += not greedy
    mean = sum(differences) / len(differences) if differences else float("nan")
    return Agreement(len(trajectories), mean, max(differences, default=float("nan")), not_greedy)


def shaped(scores: Any, sampled: Any, sampling: Sampling) -> Any:
    """Log-probabilities under temperature and then min-p, as vLLM orders them.

    `scores`: (positions, vocabulary), natural log; `sampled`: the ids sampled there, (positions,).
    """
    import torch

    warm: Any = torch.log_softmax(scores / sampling.temperature, dim=-1)
    kept = warm.exp() >= sampling.min_p * warm.exp().max(dim=-1, keepdim=True).values
    kept.scatter_(1, sampled[:, None], True)  # what was sampled was kept, whatever rounding says here
    return torch.log_softmax(warm.masked_fill(~kept, -torch.inf), dim=-1)
