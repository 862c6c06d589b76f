"""A reward: a weighted sum of named components, every one of them logged.

Most components look at one episode. Those of a group compare the episodes that one task was sampled for; an episode on
its own is a group of one.
"""

from collections.abc import Callable, Mapping, Sequence

from agent.turn import EpisodeState
from rl.rewards.cca import credits, looks_of
from rl.rewards.components import COMPONENTS, answer
from rl.tasks.task import Task

GroupComponent = Callable[[Task, Sequence[EpisodeState]], list[float]]


def cca(task: Task, states: Sequence[EpisodeState]) -> list[float]:
    """See rl/rewards/cca.py."""
    right = [answer(task, state) == 1.0 for state in states]
    return credits([looks_of(state.get("calls", [])) for state in states], right)


GROUP_COMPONENTS: dict[str, GroupComponent] = {"cca": cca}


class UnscoredError(ValueError):
    """An episode that must not be scored: a bug of ours was in it. It is refused, never given 0."""


def score(task: Task, state: EpisodeState, weights: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """(reward, components by name) of one episode. The answer is always among them, also where its weight is 0.

    Raises UnscoredError for an episode in which a tool had a bug, KeyError for an unknown component.
    """
    return score_group(task, [state], weights)[0]


def score_group(
    task: Task, states: Sequence[EpisodeState], weights: Mapping[str, float]
) -> list[tuple[float, dict[str, float]]]:
    """The same for the episodes of one group."""
    for state in states:
        check_scorable(task, state)
    unknown = set(weights) - set(COMPONENTS) - set(GROUP_COMPONENTS)
    if unknown:
        known = sorted([*COMPONENTS, *GROUP_COMPONENTS])
        raise KeyError(f"Got reward components {sorted(unknown)}, expected some of {known}.")
    shared = {name: GROUP_COMPONENTS[name](task, states) for name in weights if name in GROUP_COMPONENTS}
    scores: list[tuple[float, dict[str, float]]] = []
    for place, state in enumerate(states):
        earned = {
            name: shared[name][place] if name in shared else COMPONENTS[name](task, state)
            for name in dict.fromkeys(["answer", *weights])
        }
        scores.append((sum(weight * earned[name] for name, weight in weights.items()), earned))
    return scores


def check_scorable(task: Task, state: EpisodeState) -> None:
    """Raises UnscoredError for an episode in which a tool had a bug."""
    bugs = [call["call"]["name"] for call in state.get("calls", []) if call["status"] == "bug"]
    if bugs:
        raise UnscoredError(
            f"Got an episode of {task.id} in which {', '.join(bugs)} had a bug; see the log and mend it."
        )
