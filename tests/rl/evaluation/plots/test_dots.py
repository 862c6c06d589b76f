"""Pictures of policies side by side: a dot for each figure that was measured, and none for one that was not."""

from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes

from rl.evaluation.metrics import Episodes, measure
from rl.evaluation.plots.accuracy import draw_accuracy
from rl.evaluation.plots.coverage import draw_coverage
from rl.evaluation.plots.looking import draw_looking
from rl.trajectories.record import Trajectory

Episode = Callable[..., Trajectory]
SIZES = {"i": (200, 200)}


def dots(axes: Axes) -> list[float]:
    return sorted(float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() not in ("None", None, ""))


def test_accuracy_has_a_dot_for_each_figure_and_none_for_a_missing_one(episode: Episode) -> None:
    trained = [episode(f"a/{each}", right=each > 0, kind="count") for each in range(5)]
    no_tools = [episode("a/1", False, kind="side"), episode("a/2", kind="count")]
    policies = {
        name: measure(Episodes(made, sizes=SIZES)) for name, made in (("no_tools", no_tools), ("trained", trained))
    }
    axes = draw_accuracy(policies).axes[0]
    assert dots(axes) == [0.0, 0.5, 0.8, 0.8, 1.0]  # the trained policy was asked nothing of "side"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all questions", "count", "side"]
    assert {text.get_text() for text in axes.texts} == {"50.0%", "80.0%"}
    legend: Any = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["no tools", "trained"]


def test_several_sets_are_told_apart(episode: Episode) -> None:
    policies = {"x": measure(Episodes([episode("a/1"), episode("b/1", False)], sizes=SIZES))}
    labels = [label.get_text() for label in draw_accuracy(policies).axes[0].get_yticklabels()]
    assert labels == ["all questions", "mean of sets", "a", "a: k", "b", "b: k"]


def test_rows_of_looking_that_nobody_measured_are_left_out(episode: Episode) -> None:
    asked = [episode("a/1", looks=[(35, 35, 65, 65)]), episode("a/2", False)]
    axes = draw_looking({"x": measure(Episodes(asked, sizes=SIZES))}).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["calls a tool", "right, looked there", "IoU of looks"]
    assert dots(axes) == [400 / 900, 0.5, 1.0]


def test_only_policies_that_told_how_sure_they_were_have_a_curve(episode: Episode) -> None:
    asked = [episode("a/1"), episode("a/2", False)]
    sure = measure(Episodes(asked, confidence={"a/1/0": 0.9, "a/2/0": 0.2}, sizes=SIZES))
    axes = draw_coverage({"sure": sure, "silent": measure(Episodes(asked, sizes=SIZES))}).axes[0]
    curve, end = axes.lines
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == ([0.5, 1.0], [0.0, 0.5])
    assert end.get_xdata()[0] == 1.0
    assert [text.get_text() for text in draw_coverage({}).axes[0].texts] == ["No policy told how sure it was."]
