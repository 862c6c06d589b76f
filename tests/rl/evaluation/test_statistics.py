"""Intervals worked by hand: small samples whose bootstrap distribution can be counted out."""

import math

import pytest

from rl.evaluation.statistics import (
    UNDEFINED,
    Scored,
    bootstrap_mean,
    clustered_mean,
    macro_mean,
    mean,
    paired,
)


def test_counted_out_for_four_values() -> None:
    # The number of ones among 4 draws from [0, 0, 0, 1] is binomial(4, 1/4): P(0) = 81/256, P(4) = 1/256 < 2.5 %,
    # P(3 or more) = 13/256 = 5.1 % > 2.5 %. So the interval ends at 0/4 and 3/4.
    estimate = bootstrap_mean([0, 0, 0, 1])
    assert (estimate.mean, estimate.ci95, estimate.n) == (0.25, [0.0, 0.75], 4)


def test_counted_out_for_two_values() -> None:
    # P(both draws 0) = P(both 1) = 1/4, each more than 2.5 %.
    assert bootstrap_mean([0, 1]).ci95 == [0.0, 1.0]


def test_as_wide_as_the_normal_approximation_for_a_large_sample() -> None:
    # p = 0.8, n = 300: standard error sqrt(0.8 * 0.2 / 300) = 0.02309, times 1.96 = 0.0453.
    estimate = bootstrap_mean([1.0] * 240 + [0.0] * 60)
    assert estimate.low == pytest.approx(0.8 - 0.0453, abs=0.004)
    assert estimate.high == pytest.approx(0.8 + 0.0453, abs=0.004)


def test_repeats_for_a_seed_and_only_for_it() -> None:
    values = [i / 7 for i in range(50)]
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
    assert bootstrap_mean(values, seed=3).ci95 != bootstrap_mean(values, seed=4).ci95


def test_a_sample_larger_than_one_block_of_memory() -> None:
    # 5,000 x 1,000 draws are more than one block. A fair coin: 0.5 / sqrt(5000) = 0.00707, times 1.96 = 0.0139.
    estimate = bootstrap_mean([0.0, 1.0] * 2500, resamples=1000)
    assert estimate.high - estimate.low == pytest.approx(2 * 0.0139, abs=0.004)


def test_nothing_is_undefined_not_zero() -> None:
    estimate = bootstrap_mean([])
    assert estimate is UNDEFINED
    assert estimate.n == 0 and all(math.isnan(value) for value in (estimate.mean, *estimate.ci95))
    assert math.isnan(mean([]))


def test_undefined_values_are_refused() -> None:
    with pytest.raises(ValueError, match="1 of 3 values"):
        bootstrap_mean([1.0, math.nan, 0.0])


def test_points() -> None:
    points = bootstrap_mean([0, 0, 0, 1]).scaled(100)
    assert (points.mean, points.ci95, points.n) == (25.0, [0.0, 75.0], 4)


def test_images_are_drawn_not_questions() -> None:
    # Image a has three right answers, image b one wrong. Of the draws of two images, aa gives 1, bb 0, ab 3/4, so the
    # interval is [0, 1]; drawing the four questions would give binomial(4, 3/4) / 4, whose interval is [1/4, 1].
    scores = [Scored("a", 1), Scored("a", 1), Scored("a", 1), Scored("b", 0)]
    estimate = clustered_mean(scores)
    assert (estimate.mean, estimate.ci95, estimate.n) == (0.75, [0.0, 1.0], 4)
    assert bootstrap_mean([1, 1, 1, 0]).ci95 == [0.25, 1.0]


def test_one_question_an_image_is_the_plain_bootstrap() -> None:
    values = [float(i % 3 == 0) for i in range(120)]
    clustered = clustered_mean([Scored(str(i), value) for i, value in enumerate(values)])
    assert clustered.ci95 == pytest.approx(bootstrap_mean(values).ci95, abs=0.02)


def test_a_macro_mean_weighs_groups_not_questions() -> None:
    large, small = [Scored(str(i), 1.0) for i in range(90)], [Scored(str(i), 0.0) for i in range(10)]
    assert macro_mean([large, small]).mean == 0.5 and clustered_mean([*large, *small]).mean == 0.9
    assert macro_mean([large, small]).ci95 == [0.5, 0.5]  # neither group varies
    assert macro_mean([large, [], small]).n == 100
    assert macro_mean([[], []]) is UNDEFINED
    with pytest.raises(ValueError, match="NaN or infinite"):
        macro_mean([[Scored("a", math.nan)]])


def test_pairs_are_of_the_questions_that_both_hold() -> None:
    first = {"1": Scored("a", 1.0), "2": Scored("b", 0.5)}
    second = {"2": Scored("b", 1.0), "3": Scored("c", 1.0)}
    assert paired(first, second) == [Scored("b", -0.5)]


def test_clusters_larger_than_one_block_of_memory() -> None:
    scores = [Scored(str(i), float(i % 2)) for i in range(5000)]
    assert clustered_mean(scores, resamples=1000).mean == 0.5
