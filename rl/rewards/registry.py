"""What a reward is made of: named components, one a file, each a small function of a task and a finished episode.

A component returns what it counts, mostly 0 to 1; its weight in the config says what that is worth, also below 0. One
kind sees an episode alone; the other (`group_component`) sees all episodes of a task's group at once, as credit by
consensus must. A component that has nothing to go by returns 0: it is then the same for the whole group and moves
nothing.
"""

from collections.abc import Callable, Mapping, Sequence

from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode
from tools.discovery import check_free, import_all

Component = Callable[[Task, FinishedEpisode], float]
GroupComponent = Callable[[Task, Sequence[FinishedEpisode]], list[float]]
"""(task, the episodes of its group) -> one value an episode, in order. A group may be one episode."""

ENTRY_POINT_GROUP = "medvista.rewards"

_components: dict[str, Component] = {}
_group_components: dict[str, GroupComponent] = {}


def component(function: Component) -> Component:
    """Registers a component of one episode under the function's name."""
    _components[_free_name(function)] = function
    return function


def group_component(function: GroupComponent) -> GroupComponent:
    """Registers a component of a group of episodes under the function's name."""
    _group_components[_free_name(function)] = function
    return function


def components() -> Mapping[str, Component]:
    """Those of one episode, by name."""
    import_all("rl.rewards", ENTRY_POINT_GROUP, "component")
    return _components


def group_components() -> Mapping[str, GroupComponent]:
    """Those of a group, by name."""
    import_all("rl.rewards", ENTRY_POINT_GROUP, "component")
    return _group_components


def _free_name(function: Component | GroupComponent) -> str:
    name = getattr(function, "__name__", "")
    for taken in (_components.get(name), _group_components.get(name)):
        check_free("reward component", name, function, taken)
    return name
