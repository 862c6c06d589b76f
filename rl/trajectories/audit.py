"""Reads a stage's trajectories back and checks each one, as training would: what is there, and what must not train.

Beyond the trajectory check (tokens, masks, pixels), what was sampled trains in one row only, and every image must be in
the store with the content that its id names.

Training needs the pixels of every image of every row; here it is enough that they would fit. So each image is read once
however many episodes show it, and the image processor, which cuts all images of a size alike, is run once for a size.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.chat.record.ledger import Ledger
from agent.encoder import Encoder, Grid
from rl.trajectories.check import RefusedError, refuse_unsound
from rl.trajectories.journal import SUFFIX as UNSEALED
from rl.trajectories.record import Trajectory
from rl.trajectories.shards import SUFFIX as SEALED
from rl.trajectories.shards import ShardError
from rl.trajectories.store import TrajectoryStore
from tools.errors import ImageError
from tools.images.store import ImageStore

MOST_TOLD = 20
"""Faults that are kept with their words; all are counted."""


@dataclass
class Audit:
    """What was found in one stage."""

    stage: str
    shards: int = 0
    journals: int = 0
    """Files that are not sealed yet."""
    episodes: int = 0
    imitation_only: int = 0
    """Sound, but without log-probabilities (chat models): warm-up may use them, RL must not."""
    refused: int = 0
    damaged: int = 0
    """Shards that cannot be read."""
    by_kind: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])
    """The first refusals, in words."""

    @property
    def sound(self) -> bool:
        """Whether nothing was refused or damaged."""
        return not self.refused and not self.damaged

    def to_plain(self) -> dict[str, Any]:
        """JSON values only."""
        return {**vars(self), "by_kind": dict(sorted(self.by_kind.items()))}

    def note(self, words: str) -> None:
        """Keeps a fault's words, while there is room."""
        if len(self.faults) < MOST_TOLD:
            self.faults.append(words)


class SeenImages:
    """What the image processor makes of a store's images, each of which is read once."""

    def __init__(self, images: ImageStore, encoder: Encoder) -> None:
        self._images, self._encoder = images, encoder
        self._of_image: dict[str, Grid] = {}
        self._of_size: dict[tuple[int, int], Grid] = {}

    def grid(self, image_id: str) -> Grid:
        """By the pixels of one image. Raises ImageError where it is missing or damaged."""
        if image_id not in self._of_image:
            image = self._images.get(image_id)
            size = image.width, image.height
            if size not in self._of_size:
                self._of_size[size] = self._encoder.grid_of(self._encoder.mm_inputs([image.display()]))
            self._of_image[image_id] = self._of_size[size]
        return self._of_image[image_id]


def audit(store: TrajectoryStore, images: ImageStore, encoder: Encoder) -> Iterator[Audit]:
    """The same Audit after every episode, so that a caller can show how far it is; the last one is the result."""
    seen = SeenImages(images, encoder)
    files = store.files()
    found = Audit(store.folder.name)
    found.shards = sum(path.suffix == SEALED for path in files)
    found.journals = sum(path.suffix == UNSEALED for path in files)
    yield found
    for trajectory in _readable(store, found):
        found.episodes += 1
        found.by_kind[str(trajectory.task["kind"])] += 1
        try:
            found.imitation_only += not check_trajectory(trajectory, seen, encoder)
        except (RefusedError, ImageError) as error:
            found.refused += 1
            found.note(f"{trajectory.id}: {error}")
        yield found


def _readable(store: TrajectoryStore, found: Audit) -> Iterator[Trajectory]:
    """Each episode once; a shard that cannot be read is noted, and the others are read."""
    for each in store.read():
        try:
            yield from each
        except ShardError as error:
            found.damaged += 1
            found.note(str(error))


def check_trajectory(trajectory: Trajectory, images: SeenImages, encoder: Encoder) -> bool:
    """Whether it may be weighted by importance too (it has log-probabilities). Raises RefusedError, ImageError.

    Each row by itself, and what was sampled in one row only.
    """
    ledgers = list(map(Ledger.from_plain, trajectory.rows))
    values = [value for each in ledgers for turn in each.sampled for value in turn.logprobs]
    scored = any(map(len, ledgers)) and not any(map(math.isnan, values))  # of a provider's model there are no ids
    idle = len(ledgers) == 1 and not ledgers[0].sampled
    for each in ledgers:
        refuse_unsound(each, encoder, _grids(each, images), scored, idle=idle)
    faults = trained_twice(ledgers)
    shown = {image for call in trajectory.calls for image in call["images"]}
    if not shown <= set(trajectory.images):
        faults.append("a call returned an image that the episode does not list")
    if faults:
        raise RefusedError(f"Trajectory refused: {'; '.join(faults)}.")
    return scored


def _grids(ledger: Ledger, images: SeenImages) -> list[Grid]:
    return [images.grid(placed.image) for placed in ledger.images]


def trained_twice(ledgers: Sequence[Ledger]) -> list[str]:
    """What is wrong with an episode's rows taken together, in words."""
    counted = Counter(turn.sample for each in ledgers for turn in each.sampled if turn.sample)
    twice = sorted(sample for sample, count in counted.items() if count > 1)
    return [f"the calls {', '.join(twice)} are trained in more than one row"] if twice else []
