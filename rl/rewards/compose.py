"""A reward: a weighted sum of named components, every one of them logged."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from rl.rewards.registry import components, group_components
from rl.tasks.task import Task
from rl.trajectories.finished_episode import BUG, FinishedEpisode


class UnscoredError(ValueError):
    """An episode that must not be scored: a bug of ours was in it. It is refused, never given 0."""


Scored = tuple[float, dict[str, float]]
"""(reward, components by name)."""


def score(task: Task, state: FinishedEpisode, weights: Mapping[str, float]) -> Scored:
    """The reward of one episode by itself, a group of one. As `score_group`."""
    return score_group(task, [state], weights)[0]


def score_group(task: Task, states: Sequence[FinishedEpisode], weights: Mapping[str, float]) -> list[Scored]:
    """The rewards of a group's episodes, in order. The answer is always among the components, also at weight 0.

    Raises UnscoredError where a tool had a bug in one of the episodes, KeyError for an unknown component.
    """
    for state in states:
        check_scorable(task, state)
    alone, together = components(), group_components()
    if unknown := set(weights) - {*alone, *together}:
        raise KeyError(f"Got reward components {sorted(unknown)}, expected some of {sorted({*alone, *together})}.")
    columns = {
        name: together[name](task, states) if name in together else [alone[name](task, state) for state in states]
        for name in dict.fromkeys(["answer", *weights])
    }
    rows = [{name: values[index] for name, values in columns.items()} for index in range(len(states))]
    return [(sum(weight * row[name] for name, weight in weights.items()), row) for row in rows]


def check_scorable(task: Task, state: FinishedEpisode) -> None:
    """Raises UnscoredError for an episode in which a tool had a bug, or that a bug of its graph ended."""
    told = cast("Mapping[str, Any]", state)  # a graph may end by a bug, our own nodes never do
    if told.get("outcome") == BUG:
        raise UnscoredError(
            f"Got an episode of {task.id} that a bug of its graph ended: {told.get('bug')}. See the log and mend it."
        )
    bugs = [call["call"]["name"] for call in state.get("calls", []) if call["status"] == "bug"]
    if bugs:
        raise UnscoredError(
            f"Got an episode of {task.id} in which {', '.join(bugs)} had a bug; see the log and mend it."
        )
