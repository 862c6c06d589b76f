"""Which episodes are imitated: right, different, and as many of each kind."""

from collections import Counter

import pytest

from rl.tasks.task import Task
from rl.trajectories.export import Choice, choose
from rl.trajectories.record import Trajectory


def episode(task: str, kind: str, said: int, reward: float = 1.0, right: bool = True) -> Trajectory:
    """An episode of a task whose policy said the id `said`."""
    return Trajectory(
        id=f"{task}/{said}/{reward}",
        stage="rl",
        task=Task(task, kind, "?", (), "a", "exact").to_plain(),
        answer="a" if right else "b",
        outcome="answered",
        images=[],
        rows=[{"ids": [1, said], "sampled": [[1, 2, [-0.5], ["v"], "stop", "", ""]], "images": []}],
        transcript=[],
        calls=[],
        turns=1,
        faults=0,
        rewards={"answer": float(right)},
        reward=reward,
        seconds=0.5,
    )


EPISODES = [
    *(episode(f"count/{number}", "count", 5) for number in range(4)),
    *(episode(f"name/{number}", "name", 5) for number in range(2)),
    episode("count/0", "count", 5, reward=0.5),  # the same words again
    episode("count/0", "count", 6),  # other words
    episode("name/0", "name", 7, right=False),
]


def test_doubles_and_wrong_answers_are_left_out_and_kinds_are_balanced() -> None:
    chosen = choose(EPISODES, Choice())
    assert (chosen.read, chosen.rejected, chosen.doubles) == (9, 1, 1)
    assert Counter(each.task["kind"] for each in chosen.taken) == {"count": 2, "name": 2}
    assert chosen.surplus == 3  # of seven different right ones
    assert len({each.task["id"] for each in chosen.taken}) == 4


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(per_kind=10), {"count": 4, "name": 2}),
        (Choice(per_kind=10, per_task=2), {"count": 5, "name": 2}),
        (Choice(per_kind=10, right=False), {"count": 4, "name": 2}),  # name/0 has its one episode already
        (Choice(per_kind=10, least_reward=2.0), {}),
    ],
)
def test_each_limit_counts(choice: Choice, taken: dict[str, int]) -> None:
    assert Counter(each.task["kind"] for each in choose(EPISODES, choice).taken) == taken


def test_a_seed_fixes_the_choice_and_its_order() -> None:
    orders = {tuple(each.id for each in choose(EPISODES, Choice(seed=seed)).taken) for seed in (1, 1, 1)}
    others = {tuple(each.id for each in choose(EPISODES, Choice(seed=seed)).taken) for seed in range(8)}
    assert len(orders) == 1 and len(others) > 1


def test_nothing_to_choose_from() -> None:
    assert choose([], Choice()).taken == []
