"""The ledger: the tokens of one training row, as an episode's record gives them (agent/chat/record/rows.py).

A list of ids with two kinds of ranges. What the policy sampled carries its log-probabilities and the
policy versions that sampled it; everything else is context and never trains. Images stand as runs of placeholders with
their ids in the image store. Text is turned into ids once, when it enters (agent/encoder.py); nothing is ever
re-tokenised.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.encoder import Grid
from agent.policies.policy import Completion


class LedgerError(ValueError):
    """Tokens, ranges and images that do not agree; says which, what was got and what was expected."""


@dataclass(frozen=True)
class Sampled:
    """ids[start:end] were sampled by the policy."""

    start: int
    end: int
    logprobs: tuple[float, ...]
    """One natural log-probability per id."""
    versions: tuple[str, ...]
    """Policy versions live while it was sampled; more than one means that weights were swapped in flight."""
    finish_reason: str
    sample: str = ""
    """Id of the sample, which the message that it became carries too."""
    node: str = ""
    """The graph's node that asked for it."""


@dataclass(frozen=True)
class Placed:
    """ids[start : start + length] are the placeholders of one image."""

    image: str
    """The image's id in the store."""
    start: int
    length: int
    grid: Grid


@dataclass(frozen=True)
class Ledger:
    """The tokens of one row."""

    ids: tuple[int, ...] = ()
    sampled: tuple[Sampled, ...] = ()
    images: tuple[Placed, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def loss_mask(self) -> list[int]:
        """1 at every id that the policy sampled, 0 elsewhere; as long as the ledger."""
        mask = [0] * len(self)
        for turn in self.sampled:
            mask[turn.start : turn.end] = [1] * (turn.end - turn.start)
        return mask

    def logprobs(self) -> list[float]:
        """Log-probability of every sampled id, 0.0 elsewhere; as long as the ledger."""
        values = [0.0] * len(self)
        for turn in self.sampled:
            values[turn.start : turn.end] = turn.logprobs
        return values

    def faults(self, image_pad: int, placeholders: Mapping[Grid, int]) -> Iterator[str]:
        """Everything that disagrees, in words; nothing where the ledger is sound.

        `placeholders` gives the number of ids that an image of a grid takes.
        """
        covered = 0
        for placed in self.images:
            name, length = f"image {placed.image[:12]}", placed.length
            run = self.ids[placed.start : placed.start + length]
            expected = placeholders.get(placed.grid)
            if any(token != image_pad for token in run) or len(run) != length:
                yield f"{name} at {placed.start} does not cover a run of {length} placeholders"
            if expected != length:
                yield f"{name} has {length} placeholders, its grid {placed.grid} takes {expected}"
            covered += placed.length
        total = self.ids.count(image_pad)
        if total != covered:
            yield f"{total} placeholder ids, of which the images cover {covered}"
        position = 0
        for turn in self.sampled:
            if not position <= turn.start < turn.end <= len(self):
                yield f"sampled range {turn.start}-{turn.end} is empty, overlaps or lies outside {len(self)} ids"
            if len(turn.logprobs) != turn.end - turn.start:
                yield f"sampled range {turn.start}-{turn.end} has {len(turn.logprobs)} log-probabilities"
            if image_pad in self.ids[turn.start : turn.end]:
                yield f"sampled range {turn.start}-{turn.end} holds an image placeholder"
            position = turn.end

    def to_plain(self) -> dict[str, Any]:
        """Lists, numbers and text only: what a trajectory file holds."""
        return {
            "ids": list(self.ids),
            "sampled": [
                [each.start, each.end, list(each.logprobs), list(each.versions), *_who(each)] for each in self.sampled
            ],
            "images": [[placed.image, placed.start, placed.length, list(placed.grid)] for placed in self.images],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Ledger":
        """The ledger that `to_plain` wrote."""
        sampled = tuple(Sampled(a, b, tuple(lp), tuple(by), *who) for a, b, lp, by, *who in plain["sampled"])
        images = tuple(Placed(image, start, length, tuple(grid)) for image, start, length, grid in plain["images"])
        return cls(tuple(plain["ids"]), sampled, images)


def agrees(length: int, completion: Completion) -> None:
    """Raises LedgerError if the policy counted another prompt than the `length` ids that it was sampled behind, or
    gave no log-probability for some id."""
    if completion.prompt_tokens is not None and completion.prompt_tokens != length:
        raise LedgerError(
            f"The policy saw a prompt of {completion.prompt_tokens} tokens, the ledger holds {length}: "
            "the image processor or tokenizer of the served checkpoint differs from the agent's."
        )
    if len(completion.logprobs) != len(completion.token_ids):
        got = f"{len(completion.logprobs)} log-probabilities for {len(completion.token_ids)} sampled ids"
        raise LedgerError(f"Got {got}; one for each is expected.")


def _who(sampled: Sampled) -> tuple[str, str, str]:
    return sampled.finish_reason, sampled.sample, sampled.node
