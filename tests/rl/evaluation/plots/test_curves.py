"""Training pictures: what is drawn is what was measured, gaps stay gaps, names do not touch."""

import io
import math

import pytest
from PIL import Image

from rl.evaluation.plots.curves import draw_curves, draw_panel, panels
from rl.evaluation.plots.style import as_png, as_svg, spread

ROWS = [
    {"step": 1, "reward_mean": 0.2, "tool_call_rate": 0.5, "tool_call_rate/count": 0.4, "kl": None},
    {"step": 2, "reward_mean": math.nan, "tool_call_rate": 0.6, "kl": math.nan},
    {"step": 3, "reward_mean": 0.6, "tool_call_rate": 0.7, "tool_call_rate/count": 0.8},
]


def test_only_what_was_measured_gets_a_panel() -> None:
    found = panels(ROWS)
    assert [panel.title for panel in found] == ["Reward", "Episodes that call a tool"]
    assert found[1].lines == {"tool_call_rate": "all", "tool_call_rate/count": "count"}


def test_of_many_kinds_those_asked_most_are_drawn_and_named_shortly() -> None:
    names = ["rare", *(f"kind_{letter}" for letter in "abcde"), "a_kind_of_a_long_name"]
    rows = [
        {"step": step, "tool_call_rate": 0.5, **{f"tool_call_rate/{name}": 0.5 for name in names[step % 2 :]}}
        for step in range(4)
    ]
    (panel,) = panels(rows)
    assert list(panel.lines.values()) == ["all", *sorted(names[1:])]
    drawn = [text.get_text() for text in draw_panel(panel, rows).axes[0].texts]
    assert "a_kind_of_a… 50%" in drawn and "kind_a 50%" in drawn


def test_a_running_mean_of_ones_is_a_hundred_per_cent() -> None:
    rows = [{"step": step, "tool_call_rate": 0.3 if step < 9 else 1.0} for step in range(40)]
    (name,) = draw_panel(panels(rows)[0], rows).axes[0].texts
    assert name.get_text().endswith(" 100%")


def test_a_gap_is_no_zero() -> None:
    axes = draw_panel(panels(ROWS)[0], ROWS).axes[0]
    each_step, _ = axes.lines
    assert list(each_step.get_xdata()) == [1, 3]
    assert list(each_step.get_ydata()) == [0.2, 0.6]


def test_running_mean_knows_only_the_past() -> None:
    # 24 steps: a window of 2. Values 0, 1, 2, ...: means 0, 0.5, 1.5, ..., 22.5.
    rows = [{"step": step, "reward_mean": float(step)} for step in range(24)]
    _, smooth = draw_panel(panels(rows)[0], rows).axes[0].lines
    assert list(smooth.get_ydata()) == [0.0, *(step - 0.5 for step in range(1, 24))]


def test_rows_are_drawn_in_the_order_of_their_steps() -> None:
    rows = [{"step": 2, "answer": 0.4}, {"step": 1, "answer": 0.3}]
    assert list(draw_panel(panels(rows)[0], rows).axes[0].lines[0].get_ydata()) == [0.3, 0.4]


def test_names_are_moved_apart_below_the_ceiling() -> None:
    # From below: 0.5, then 0.9 and 0.95 -> 1.0 and 1.1; the ceiling of 1.0 pushes them down to 1.0 and 0.9.
    assert spread([0.95, 0.5, 0.9], gap=0.1, ceiling=1.0) == pytest.approx([1.0, 0.5, 0.9])


def test_three_panels_in_a_row() -> None:
    rows = [{"step": 1, "reward_mean": 1.0, "answer": 1.0, "entropy": 0.3, "invalid_rate": 0.0}]
    figure = draw_curves(rows)
    assert len(figure.axes) == 4
    lefts = sorted({round(axes.get_position().x0, 3) for axes in figure.axes})
    assert len(lefts) == 3


def test_nothing_to_draw_says_so() -> None:
    figure = draw_curves([])
    assert not figure.axes
    assert figure.texts[0].get_text() == "No training steps were reported."


def test_files_are_pictures_and_the_same_each_time() -> None:
    with Image.open(io.BytesIO(as_png(draw_curves(ROWS)))) as picture:
        assert picture.format == "PNG" and picture.width > 1000
    once, again = (as_svg(draw_panel(panels(ROWS)[0], ROWS)) for _ in range(2))
    assert once == again and b"<svg" in once
