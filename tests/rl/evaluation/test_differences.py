"""Differences between policies, from episodes written by hand."""

from collections.abc import Callable

from rl.evaluation.metrics import difference, gains
from rl.evaluation.schema import Points
from rl.trajectories.record import Trajectory

Episode = Callable[..., Trajectory]


def test_a_difference_is_paired_by_question(episode: Episode) -> None:
    first = [episode("a/1", True, image="i"), episode("a/2", True, image="j"), episode("b/1", True, image="k")]
    second = [episode("a/1", False, image="i"), episode("a/2", True, image="j"), episode("b/2", False, image="l")]
    found = difference("x", "y", {"x": first, "y": second})
    assert (found.first, found.second) == ("x", "y")
    assert (found.points, found.n, found.ci95) == (50.0, 2, (0.0, 100.0))
    assert found.by_set["b"].n == 0 and found.macro_over_sets.points == 50.0


def test_gains_are_those_of_the_trained_policy_over_each_other(episode: Episode) -> None:
    trained = [episode(task, image=task) for task in "abcd"]
    untrained = [episode(task, right=task != "a", image=task) for task in "abcd"]
    found = gains({"trained": trained, "tools_untrained": untrained, "warmup": [episode("z")]})
    # Differences 1, 0, 0, 0: the interval of 0 to 0.75 of test_statistics.py, in points.
    points = Points(points=25.0, ci95=(0.0, 75.0), n=4)
    gain = found["over_tools_untrained"]
    assert (gain.points, gain.ci95, gain.n, gain.by_kind) == (25.0, (0.0, 75.0), 4, {"k": points})
    for missing in (found["over_warmup"], found["over_no_tools"]):
        assert (missing.points, missing.ci95, missing.n) == (None, (None, None), 0)


def test_differences_draw_images_not_questions(episode: Episode) -> None:
    policies = {"x": [episode(task) for task in "abcd"], "y": [episode(task, right=task == "a") for task in "abcd"]}
    assert difference("x", "y", policies).ci95 == (75.0, 75.0)  # all about one image


def test_a_task_answered_twice_counts_once(episode: Episode) -> None:
    first = [episode("a"), episode("a", right=False, sample=1), episode("b")]
    found = difference("x", "y", {"x": first, "y": [episode("a", right=False), episode("b", right=False)]})
    assert (found.points, found.n) == (75.0, 2)
