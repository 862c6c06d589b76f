"""The formulas of an evaluation, worked by hand."""

import math

import pytest

from rl.evaluation.abstention import risk_coverage
from rl.evaluation.pass_at_k import agreement, pass_all, pass_at, steps


@pytest.mark.parametrize(
    ("k", "samples", "right", "once", "always"),
    [
        (1, 4, 1, 1 / 4, 1 / 4),
        (2, 4, 1, 1 - 3 / 6, 0),  # C(3, 2) / C(4, 2) draws hold no right one
        (2, 4, 3, 1, 3 / 6),  # C(3, 2) / C(4, 2) draws hold right ones only
        (3, 5, 2, 1 - 1 / 10, 0),
        (4, 4, 4, 1, 1),
        (4, 4, 0, 0, 0),
    ],
)
def test_pass(k: int, samples: int, right: int, once: float, always: float) -> None:
    assert pass_at(k, samples, right) == pytest.approx(once)
    assert pass_all(k, samples, right) == pytest.approx(always)


def test_pass_at_more_than_were_sampled_is_refused() -> None:
    with pytest.raises(ValueError, match="Got k=5 and 1 right of 4 samples"):
        pass_at(5, 4, 1)


def test_the_k_that_are_reported() -> None:
    assert [steps(samples) for samples in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_agreement_is_the_share_that_says_the_same() -> None:
    assert agreement(["Yes.", "yes", None, "no"]) == [0.5, 0.5, 0.25, 0.25]


def test_risk_and_coverage() -> None:
    # Surest first: right; then one right and one wrong that are equally sure, half a fault each; then a wrong one. The
    # fifth question was not answered.
    curve = risk_coverage([0.1, 0.8, 0.9, 0.8], [False, False, True, True], questions=5)
    assert curve.coverage == (0.2, 0.4, 0.6, 0.8)
    assert curve.risk == pytest.approx((0, 0.25, 1 / 3, 0.5))
    assert curve.area == pytest.approx((0 + 0.25 + 1 / 3 + 0.5) / 4)
    assert curve.risk_at(0.5) == pytest.approx(1 / 3) and curve.risk_at(0.8) == pytest.approx(0.5)
    assert math.isnan(curve.risk_at(1.0))


def test_a_confidence_that_orders_rightly_has_the_smaller_area() -> None:
    right = [True, True, False, True, False, False]
    good = risk_coverage([0.9, 0.8, 0.3, 0.7, 0.2, 0.1], right, 6)
    bad = risk_coverage([0.1, 0.2, 0.7, 0.3, 0.8, 0.9], right, 6)
    flat = risk_coverage([0.5] * 6, right, 6)
    assert good.area < flat.area < bad.area and set(flat.risk) == {0.5}
    assert good.risk[-1] == bad.risk[-1] == 0.5


def test_nothing_answered_has_no_risk() -> None:
    curve = risk_coverage([], [], 3)
    assert math.isnan(curve.area) and math.isnan(curve.risk_at(0.5))
