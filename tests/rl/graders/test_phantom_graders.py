"""Grading by rule: tables worked by hand."""

import pytest

from rl.graders import exact, grade, millimetres


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("87.4 mm", 1.0),
        ("87.4 mm.", 1.0),
        ("87.4", 1.0),
        ("87.4mm", 1.0),
        ("  87.4   MM ", 1.0),
        ("87.4 millimetres", 1.0),
        ("87.4 millimeter.", 1.0),
        ("+87.4 mm", 1.0),
        ("90 mm", 1.0),
        ("8.74 cm", 0.0),
        ("0.0874 m", 0.0),
        ("87.4 pixels", 0.0),
        ("87,4 mm", 0.0),
        ("-87.4 mm", 0.0),
        ("about 87.4 mm", 0.0),
        ("87.4 mm or 60 mm", 0.0),
        ("60 mm 87.4 mm", 0.0),
        ("80-95 mm", 0.0),
        ("1e2 mm", 0.0),
        ("nan", 0.0),
        ("inf mm", 0.0),
        ("far", 0.0),
        ("mm", 0.0),
        ("", 0.0),
    ],
)
def test_lengths(answer: str, right: float) -> None:
    assert millimetres(answer, "87.4 mm") == right


@pytest.mark.parametrize(
    ("answer", "right"), [("110 mm", 1.0), ("90 mm", 1.0), ("110.1 mm", 0.0), ("89.9 mm", 0.0), ("0 mm", 0.0)]
)
def test_a_length_may_be_off_by_a_tenth(answer: str, right: float) -> None:
    assert millimetres(answer, "100.0 mm") == right


@pytest.mark.parametrize("gold", ["87.4", "8.7 cm", "far", ""])
def test_a_gold_length_that_cannot_be_read_is_a_broken_task(gold: str) -> None:
    with pytest.raises(ValueError, match="expected a length such as"):
        millimetres("87.4 mm", gold)


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("cystic", "cystic", 1.0),
        ("Cystic.", "cystic", 1.0),
        (" upper \n left ", "upper left", 1.0),
        ("cystic or solid", "cystic", 0.0),
        ("not cystic", "cystic", 0.0),
        ("", "cystic", 0.0),
        ("3", "3", 1.0),
        ("3.0", "3", 0.0),
        ("13", "3", 0.0),
        ("three", "3", 0.0),
    ],
)
def test_words(answer: str, gold: str, right: float) -> None:
    assert exact(answer, gold) == right


@pytest.mark.parametrize(("grader", "gold"), [("exact", "cystic"), ("exact", "yes"), ("millimetres", "87.4 mm")])
@pytest.mark.parametrize("piece", ["{gold} ", "yes no ", "solid cystic spiculated lobulated ", "1", "87.4 mm ", "."])
def test_saying_everything_does_not_win(grader: str, gold: str, piece: str) -> None:
    answer = (piece.format(gold=gold) * 1000)[:1000]
    assert grade(grader, answer, gold) == 0.0


@pytest.mark.parametrize("grader", ["exact", "millimetres"])
def test_no_answer_is_not_right(grader: str) -> None:
    assert grade(grader, None, "87.4 mm") == 0.0


def test_an_unknown_grader_names_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"'fuzzy', expected one of .*box, .*choice, .*closed, .*exact, .*judge"):
        grade("fuzzy", "a", "a")
