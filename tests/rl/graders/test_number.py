"""Numbers with words, commas, units, ranges: a table read by hand."""

import pytest

from rl.graders.number import number


@pytest.mark.parametrize(
    "answer",
    [
        "3", "3.", " 3 ", "3.0", "3,0", "three", "Three.", "3 nodules", "three nodules", "There are 3 nodules",
        "There are three nodules.", "about 3", "approximately 3", "~3", "+3", "The answer is 3", "3 in total",
        "n = 3",
        "3-fold", "exactly three",
    ],
)  # fmt: skip
def test_three(answer: str) -> None:
    assert (number(answer, "3"), number(answer, "4")) == (1.0, 0.0)


@pytest.mark.parametrize(
    "answer",
    [
        "", "3-5", "3 - 5", "3 to 5", "between 3 and 5", "3 or 4", "three or four", "3/5", "2 x 3", "3+",
        "3 or more", "<3",
        ">3", "< 3", "less than 3", "more than 3", "at least 3", "at most 3", "up to 3", "over 3", "not 3", "3 ± 1",
        "3e0", "3?", "maybe 3", "3 (or none)", "I cannot tell: 3", "image 2 shows 3",
        "3 3", "3, 4", "1 2 3 4 5", "13", "30", "33", "-3", "2.9", "three hundred", "nan", "inf", "many", "a few",
        "several",
        "3 cm", "3 mm", "3%", "3d", "T3", "c3", "3" * 200, "3 " * 200, "1 2 3 " * 300, "3.0.0", "1,3,5",
    ],
)  # fmt: skip
def test_not_three(answer: str) -> None:
    assert number(answer, "3") == 0.0


@pytest.mark.parametrize("answer", ["no idea", "no clue", "no answer", "no way to tell", "not 0", "nothing to count"])
def test_who_cannot_tell_has_not_counted_none(answer: str) -> None:
    assert number(answer, "0") == 0.0


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("zero", "0"), ("none", "0"), ("no nodules", "0"), ("There are no nodules", "0"), ("0", "0"), ("None.", "0"),
        ("twenty-one", "21"), ("twenty one", "21"), ("Forty", "40"), ("nineteen cells", "19"), ("1,250", "1250"),
        ("1250", "1,250"), ("12,5", "12.5"), ("12.50", "12,5"), ("-450 HU", "-450 HU"), ("-450", "-450 HU"),
        ("1,234,567", "1234567"),
    ],
)  # fmt: skip
def test_other_numbers(answer: str, gold: str) -> None:
    assert number(answer, gold) == 1.0


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("87.4 mm", "87.4 mm", 1.0), ("87.4", "87.4 mm", 1.0), ("87,4 mm", "87.4 mm", 1.0),
        ("8.74 cm", "87.4 mm", 1.0),
        ("0.0874 m", "87.4 mm", 1.0), ("87400 µm", "87.4 mm", 1.0), ("87.4 millimetres", "87.4 mm", 1.0),
        ("87.4mm", "87.4 mm", 1.0), ("an 87.4-mm lesion", "87.4 mm", 1.0), ("87.4 cm", "87.4 mm", 0.0),
        ("87.4 pixels", "87.4 mm", 0.0), ("87.4 mm2", "87.4 mm", 0.0), ("87.4 %", "87.4 mm", 0.0),
        ("1 inch", "25.4 mm", 1.0),
        ("2.5 cm2", "250 mm2", 1.0), ("2.5 cm²", "250 mm^2", 1.0), ("2.5 cm", "250 mm2", 0.0),
        ("30 degrees", "30°", 1.0),
        ("30 deg", "30 degrees", 1.0), ("12 percent", "12 %", 1.0), ("12%", "12%", 1.0), ("2 ml", "2 cc", 1.0),
    ],
)  # fmt: skip
def test_units(answer: str, gold: str, right: float) -> None:
    assert number(answer, gold) == right


@pytest.mark.parametrize(
    ("answer", "tolerance", "absolute", "right"),
    [
        ("110", 0.1, 0.0, 1.0), ("90", 0.1, 0.0, 1.0), ("110.1", 0.1, 0.0, 0.0), ("89.9", 0.1, 0.0, 0.0),
        ("102", 0.0, 2.0, 1.0), ("103", 0.0, 2.0, 0.0), ("105", 0.1, 2.0, 1.0), ("100", 0.0, 0.0, 1.0),
        ("101", 0.0, 0.0, 0.0),
        ("10.9 cm", 0.1, 0.0, 1.0),
    ],
)  # fmt: skip
def test_tolerance_is_relative_or_absolute_whichever_is_more(
    answer: str, tolerance: float, absolute: float, right: float
) -> None:
    assert number(answer, "100 mm", tolerance=tolerance, absolute=absolute) == right


def test_a_tolerance_is_in_the_gold_answers_unit() -> None:
    assert number("12 mm", "1 cm", absolute=0.2) == 1.0
    assert number("13 mm", "1 cm", absolute=0.2) == 0.0


def test_the_unit_may_stand_in_the_rules() -> None:
    assert number("5 cm", "50", unit="mm") == 1.0
    assert number("50 pixels", "50", unit="mm") == 0.0


@pytest.mark.parametrize(
    ("gold", "rules"), [("far", {}), ("3-5", {}), ("", {}), ("3", {"tolerance": -1}), ("3 mm", {"unit": "cm"}),
    ("3", {"unit": "x"})]
)  # fmt: skip
def test_a_gold_answer_that_is_no_number_is_a_broken_task(gold: str, rules: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        number("3", gold, **rules)  # type: ignore[arg-type]
