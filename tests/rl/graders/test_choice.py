"""Multiple choice by letter or by text: a table read by hand."""

import pytest

from rl.graders.choice import choice, chosen

OPTIONS = ("Pneumonia", "Pulmonary edema", "A rib fracture", "No finding")


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"), ("b", "B"), ("B.", "B"), ("(B)", "B"), ("[b]", "B"), (" b) ", "B"), ("**B**", "B"), ("A", "A"),
        ("a", "A"),
        ("B. Pulmonary edema", "B"), ("b) pulmonary edema", "B"), ("(B) Pulmonary edema", "B"),
        ("B: pulmonary edema", "B"),
        ("B - pulmonary edema", "B"), ("B, pulmonary edema", "B"),
        ("The answer is B", "B"), ("The answer is B.", "B"), ("Answer: B", "B"), ("answer b", "B"), ("Option B", "B"),
        ("I choose B", "B"), ("I choose option B because of the haze", "B"), ("The correct choice is (B)", "B"),
        ("Pulmonary edema", "B"), ("pulmonary edema.", "B"), ("It is pulmonary edema", "B"), ("edema", None),
        ("Pulmonary edema, not pneumonia", "B"), ("pneumonia, rather than pulmonary edema", "A"),
        ("A rib fracture", "C"), ("a rib fracture", "C"), ("There is a rib fracture", "C"),
        ("Pneumonia is seen", "A"),
        ("No finding", "D"), ("no finding", "D"), ("D. No finding", "D"),
        ("A nodule", None), ("a nodule", None), ("A nodule is seen", None), ("The answer is a nodule", None),
        ("There is a mass", None), ("vitamin D", None), ("B cells", None), ("C spine", None),
        ("hepatitis B virus", None),
        ("A or B", None), ("A and B", None), ("A/B", None), ("A, B", None), ("A & B", None), ("both A and B", None),
        ("(A) (B)", None), ("A) or B)", None), ("Answer: A. Answer: B", None), ("ABCD", None),
        ("A.B.", None), ("I see a", None), ("A B C D", None),
        ("Pneumonia or pulmonary edema", None), ("Pneumonia and pulmonary edema", None),
        ("A. Pulmonary edema", None), ("B. Pneumonia", None), ("not B", None), ("the answer is not B", None),
        ("not pneumonia", None), ("B?", "B"), ("Pneumonia?", None), ("E", None), ("Option E", None), ("", None),
        (" ", None),
        ("?", None), ("1", None), ("unknown", None), ("cannot tell", None), ("cannot exclude pneumonia", None),
        ("A B C D " * 100, None), ("Pneumonia " * 100, None), ("B " * 500, None),
        ("A) B)", None), ("A) B", None), ("A)B)", None), ("a) b)", None), ("A: B", None), ("A.) B.)", None),
        ("B; C", None), ("B) C)", None), ("A) no, B)", None), ("A) B) C)", None), ("**A)** **B)**", None),
        ("B) pulmonary edema, A)", None), ("[A] [B]", None), ("A then B", None), ("B: A", None),
        ("B) B", "B"), ("B. (B)", "B"), ("not A) but B)", "B"), ("B) haze (see figure 2)", "B"),
        ("The answer is (B).", "B"), ("The answer is **B**.", "B"), ("**Answer:** B", "B"), ("Answer: **B**", "B"),
        ("\\boxed{B}", "B"), ("$\\boxed{\\text{B}}$", "B"), ("The answer is $\\boxed{B}$.", "B"), ("`B`", "B"),
        ("\\(B\\)", "B"), ("**B. Pulmonary edema**", "B"), ("**B**: pulmonary edema", "B"), ("B) A rib", "B"),
        ("( B )", "B"), ("(B: haze)", "B"), ("B (vitamin A)", None),
        (" ".join(OPTIONS), None),
        ("; ".join(f"({letter}) {text}" for letter, text in zip("ABCD", OPTIONS, strict=True)), None),
    ],
)  # fmt: skip
def test_what_an_answer_chooses(answer: str, letter: str | None) -> None:
    assert chosen(answer, OPTIONS) == letter
    if answer.strip():
        assert [choice(answer, gold, options=OPTIONS) for gold in "ABCD"] == [float(letter == gold) for gold in "ABCD"]


@pytest.mark.parametrize(("answer", "letter"), [("B) A", "B"), ("A) O", "A"), ("A) AB", None), ("B: a", "B")])
def test_options_that_are_letters_themselves(answer: str, letter: str | None) -> None:
    assert chosen(answer, ("O", "A", "AB")) == letter
    assert chosen("A) B cells", ("B cells", "T cells")) == "A"


NUMBERS = ("3", "5", "3-5", "35")


@pytest.mark.parametrize(
    ("answer", "letter"), [("3", "A"), ("3-5", "C"), ("35", "D"), ("there are 5", "B"), ("3 or 5", None), ("3.5", None)]
)
def test_options_that_are_numbers(answer: str, letter: str | None) -> None:
    assert chosen(answer, NUMBERS) == letter


def test_gold_may_be_a_letter_or_a_text() -> None:
    assert choice("B", "pulmonary edema", options=OPTIONS) == choice("B", "B", options=OPTIONS) == 1.0
    assert choice("A", "A rib fracture", options=OPTIONS) == 0.0
    assert choice("c", "A rib fracture", options=OPTIONS) == 1.0


@pytest.mark.parametrize(
    ("gold", "options"), [("E", OPTIONS), ("nodule", OPTIONS), ("A", ("one",)), ("A", ("one", "One.")), ("A", ())]
)
def test_a_gold_answer_that_is_no_option_is_a_broken_task(gold: str, options: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        choice("A", gold, options=options)
