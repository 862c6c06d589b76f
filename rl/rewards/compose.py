"""A reward: a weighted sum of named components, every one of them logged."""

from collections.abc import Mapping

from agent.turn import EpisodeState
from rl.rewards.components import COMPONENTS
from rl.tasks.task import Task


class UnscoredError(ValueError):
    """An episode that must not be scored: a bug of ours was in it. It is refused, never given 0."""


def score(task: Task, state: EpisodeState, weights: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """(reward, components by name). The answer is always among the components, also where its weight is 0.

    Raises UnscoredError for an episode in which a tool had a bug, KeyError for an unknown component.
    """
    bugs = [call["call"]["name"] for call in state.get("calls", []) if call["status"] == "bug"]
    if bugs:
        raise UnscoredError(
            f"Got an episode of {task.id} in which {', '.join(bugs)} had a bug; see the log and mend it."
        )
    unknown = set(weights) - set(COMPONENTS)
    if unknown:
        raise KeyError(f"Got reward components {sorted(unknown)}, expected some of {sorted(COMPONENTS)}.")
    components = {name: COMPONENTS[name](task, state) for name in dict.fromkeys(["answer", *weights])}
    return sum(weight * components[name] for name, weight in weights.items()), components
