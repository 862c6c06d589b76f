"""What one episode is worth, and the means of that over questions: what every figure of an evaluation is made of.

A question's score is the mean over its samples; intervals draw whole images, for answers about one image fall together.
What nothing is known about has n = 0 and no mean.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable

from rl.evaluation.statistics import Estimate, Scored, clustered_mean, mean
from rl.trajectories.record import Trajectory

Value = Callable[[Trajectory], float | None]
"""A figure of one episode; None where it is not defined for it."""


def right(episode: Trajectory) -> float:
    """1 for the right answer."""
    return float(episode.correct)


def called(episode: Trajectory) -> float:
    """1 where a tool call could be read, whatever came of it."""
    return float(bool(episode.calls))


def invalid_rate(episodes: Iterable[Trajectory]) -> float:
    """Turns that could not be read and calls that did not run, over all turns; NaN without any."""
    turns = invalid = 0
    for each in episodes:
        turns += each.turns
        invalid += each.faults + sum(call["status"] != "ok" for call in each.calls)
    return invalid / turns if turns else math.nan


def abstained(episode: Trajectory) -> float:
    """1 where it said that it can't tell."""
    return float(episode.outcome == "abstained")


def scores(episodes: Iterable[Trajectory], value: Value) -> dict[str, Scored]:
    """The mean of a value over each question's samples, by task id; questions without the value are left out."""
    found: dict[str, list[float]] = defaultdict(list)
    images: dict[str, str] = {}
    for episode in episodes:
        if (each := value(episode)) is not None:
            found[question_of(episode)].append(each)
            images[question_of(episode)] = images_of(episode)
    return {task: Scored(images[task], mean(values)) for task, values in found.items()}


def question_of(episode: Trajectory) -> str:
    """The task's id."""
    return str(episode.task["id"])


def set_of(episode: Trajectory) -> str:
    """The task set, which is how a task's id begins."""
    return question_of(episode).partition("/")[0]


def kind_of(episode: Trajectory) -> str:
    """The kind of question."""
    return str(episode.task["kind"])


def question_mean(episodes: Iterable[Trajectory], value: Value) -> Estimate:
    """The mean of a value over questions, with its interval."""
    return clustered_mean(list(scores(episodes, value).values()))


def grouped(episodes: Iterable[Trajectory], key: Callable[[Trajectory], str]) -> dict[str, list[Trajectory]]:
    """The episodes by what `key` says of them, in the order of the keys."""
    found: dict[str, list[Trajectory]] = defaultdict(list)
    for episode in episodes:
        found[key(episode)].append(episode)
    return dict(sorted(found.items()))


def images_of(episode: Trajectory) -> str:
    """What episodes about the same images share."""
    return " ".join(episode.task["images"])
