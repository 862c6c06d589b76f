"""Choosing episodes to imitate: rejection sampling by reward, without doubles, balanced by kind of task.

Supervised learning copies whatever it is shown, so an episode is shown only if it earned enough, once however often it
was sampled, and no kind of question drowns the others because it is easier. Which of a kind's episodes are taken is
drawn by a seed, so an export can be made again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from rl.trajectories.record import Trajectory


@dataclass(frozen=True)
class Choice:
    """Which episodes are taken."""

    least_reward: float | None = None
    """Episodes that earned less are left out."""
    right: bool = True
    """Wrong answers are left out."""
    per_task: int = 1
    """At most so many different episodes of one task."""
    per_kind: int | None = None
    """At most so many episodes of a kind; None: as many as the rarest kind has, so that all have as many."""
    seed: int = 0


@dataclass(frozen=True)
class Chosen:
    """What was taken, and why the rest was not."""

    taken: list[Trajectory]
    read: int
    rejected: int
    """Earned too little, or wrong."""
    doubles: int
    """Said the same, token by token, to the same task as another."""
    surplus: int
    """Left out because their task or their kind had enough."""


def choose(trajectories: Iterable[Trajectory], choice: Choice) -> Chosen:
    """The episodes to imitate, in a random order that `choice.seed` fixes."""
    read = 0
    good: dict[tuple[object, ...], Trajectory] = {}
    passed = 0
    for trajectory in trajectories:
        read += 1
        if _earned(trajectory, choice):
            passed += 1
            good.setdefault(_said(trajectory), trajectory)
    rng = np.random.default_rng([choice.seed, 41])
    kinds = _by_kind(_shuffled(list(good.values()), rng), choice.per_task)
    most = choice.per_kind or min((len(episodes) for episodes in kinds.values()), default=0)
    taken = [episode for _, episodes in sorted(kinds.items()) for episode in episodes[:most]]
    return Chosen(_shuffled(taken, rng), read, read - passed, passed - len(good), len(good) - len(taken))


def _shuffled(episodes: Sequence[Trajectory], rng: np.random.Generator) -> list[Trajectory]:
    order = cast("list[int]", rng.permutation(len(episodes)).tolist())
    return [episodes[place] for place in order]


def _earned(trajectory: Trajectory, choice: Choice) -> bool:
    enough = choice.least_reward is None or trajectory.reward >= choice.least_reward
    return enough and (trajectory.correct or not choice.right)


def _said(trajectory: Trajectory) -> tuple[object, ...]:
    """The task and every id of the episode: two that share them teach the same."""
    return str(trajectory.task["id"]), tuple(tuple(ledger["ids"]) for ledger in trajectory.rows)


def _by_kind(episodes: Sequence[Trajectory], per_task: int) -> dict[str, list[Trajectory]]:
    """At most `per_task` episodes of a task, by kind, in the order given."""
    of_task: dict[str, int] = defaultdict(int)
    kinds: dict[str, list[Trajectory]] = defaultdict(list)
    for episode in episodes:
        of_task[str(episode.task["id"])] += 1
        if of_task[str(episode.task["id"])] <= per_task:
            kinds[str(episode.task["kind"])].append(episode)
    return kinds
