"""Yes, no, and closed sets: a table of answers read by hand."""

import pytest

from rl.graders.closed import asks_normal, closed, polarity

YES = [
    "yes", "Yes", "YES.", " yes ", "Yes, a nodule is seen", "Yes. A nodule is seen in the right upper lobe.",
    "yes - a nodule", "Yes; it is", "Yes a nodule is seen", "yeah", "yep", "true", "True.", "Correct", "Answer: yes",
    "The answer is yes", "The final answer is yes.", "my answer: yes", "**yes**", '"yes"', "(yes)", "It is yes",
    "Probably yes", "most likely yes", "I think yes", "present", "Positive.", "Yes, there is no doubt",
    "yes, it is not subtle", "Yes, the nodule is not calcified", "So yes", "Definitely yes, a large one",
]  # fmt: skip
NO = [
    "no", "No", "NO.", "No, the lungs are clear", "No. Nothing is seen.", "no - nothing", "nope", "false",
    "Incorrect",
    "Answer: no", "The answer is no", "the final answer is: no", "**No**", "No evidence of a nodule",
    "no evidence of pneumothorax", "There is no nodule", "There are no nodules.", "Not seen", "not present",
    "The nodule is not seen", "A fracture was not identified", "It isn't", "It is not", "None", "absent", "Negative.",
    "Without a nodule", "Absence of consolidation", "No nodule", "No it is not", "No there is nothing",
    "No, it does not",
    "Probably no", "Most likely not", "I think not", "no acute findings",
]  # fmt: skip
NEITHER = [
    "", " ", ".", "abnormal? unknown", "unknown", "yes?", "is it yes", "maybe", "Maybe yes", "possibly", "perhaps no",
    "uncertain", "unclear", "not sure", "Not certain", "cannot tell", "I cannot tell", "can't tell",
    "cannot exclude a nodule",
    "A nodule cannot be excluded", "Could not rule out a fracture", "a fracture is not excluded", "not ruled out",
    "indeterminate", "inconclusive", "equivocal", "I don't know", "hard to say", "unable to determine", "yes or no",
    "yes/no", "yes and no", "yes no", "no yes", "Yes, no nodule", "yes or not", "no, yes", "No. Yes.",
    "yes, but also no",
    "A nodule is seen", "a large mass", "nodule", "normal", "abnormal", "noted", "nothing", "yesterday", "know",
    "north",
    "no idea", "No clue.", "no comment", "There is no way to tell", "no doubt, there is a nodule",
    "nodular", "eyes", "1", "maybe not", "not yes", "the answer", "answer", "it is true that no answer is false",
    "yes " * 300, "no " * 300, "yes no " * 100, "a" * 1000, "yes" + " because the nodule is round" * 40,
]  # fmt: skip


@pytest.mark.parametrize("answer", YES)
def test_yes(answer: str) -> None:
    assert (closed(answer, "yes"), closed(answer, "no")) == (1.0, 0.0)


@pytest.mark.parametrize("answer", NO)
def test_no(answer: str) -> None:
    assert (closed(answer, "yes"), closed(answer, "no")) == (0.0, 1.0)


@pytest.mark.parametrize("answer", NEITHER)
def test_neither(answer: str) -> None:
    assert (closed(answer, "yes"), closed(answer, "no")) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("yes", "yes"), ("no", "no"), ("no, it is enlarged", "no"), ("yes, no abnormality", None),
        ("no evidence of disease", None), ("there is no cardiomegaly", None), ("none", None), ("negative", None),
        ("it is not normal", "no"), ("abnormal", "no"), ("it is abnormal", "no"), ("not abnormal", "no"),
        ("nothing is seen", None),
    ],
)  # fmt: skip
def test_where_a_yes_means_that_all_is_well_a_bare_denial_decides_nothing(answer: str, said: str | None) -> None:
    assert polarity(answer, asks_normal=True) == said


@pytest.mark.parametrize(
    ("question", "normal"),
    [
        ("Is the heart normal?", True), ("Are the lungs clear?", True), ("Is the trachea midline?", False),
        ("Is this an abnormal finding?", False), ("Is there a nodule?", False), ("Is the aorta unremarkable?", True),
        ("Are the costophrenic angles intact?", True), ("Is there an absence of contrast?", True),
        ("Is there no pneumothorax?", True), ("Is there evidence of a notch?", False),
    ],
)  # fmt: skip
def test_questions_that_ask_whether_all_is_well(question: str, normal: bool) -> None:
    assert asks_normal(question) is normal


SIDES = ("left", "right", "both")
QUADRANTS = ("upper left", "upper right", "lower left", "lower right")
STATE = ("normal", "abnormal")


@pytest.mark.parametrize(
    ("options", "gold", "answer", "right"),
    [
        (SIDES, "left", "left", 1.0),
        (SIDES, "left", "LEFT.", 1.0),
        (SIDES, "left", "on the left side", 1.0),
        (SIDES, "left", "The left lung", 1.0),
        (SIDES, "left", "left-sided", 1.0),
        (SIDES, "left", "left, not right", 1.0),
        (SIDES, "right", "not left but right", 1.0),
        (SIDES, "left", "not left", 0.0),
        (SIDES, "right", "not left", 0.0),
        (SIDES, "left", "left or right", 0.0),
        (SIDES, "left", "left and right", 0.0),
        (SIDES, "left", "left?", 0.0),
        (SIDES, "left", "neither left nor right", 0.0),
        (SIDES, "left", "possibly left", 0.0),
        (SIDES, "left", "left left left", 1.0),
        (SIDES, "left", "leftover", 0.0),
        (SIDES, "left", "left is excluded", 0.0),
        (SIDES, "both", "both lungs", 1.0),
        (SIDES, "left", "left right both " * 60, 0.0),
        (QUADRANTS, "upper left", "upper left", 1.0),
        (QUADRANTS, "upper left", "the left upper quadrant", 1.0),
        (QUADRANTS, "upper left", "upper  left quadrant", 1.0),
        (QUADRANTS, "upper left", "left", 0.0),
        (QUADRANTS, "upper left", "upper left lower right", 0.0),
        (QUADRANTS, "upper left", "upper right", 0.0),
        (STATE, "normal", "normal", 1.0),
        (STATE, "normal", "abnormal", 0.0),
        (STATE, "normal", "it is abnormal", 0.0),
        (STATE, "abnormal", "it is abnormal", 1.0),
        (STATE, "normal", "not abnormal", 0.0),
        (STATE, "abnormal", "not normal", 0.0),
        (STATE, "abnormal", "abnormal? unknown", 0.0),
        (("not sure", "yes", "no"), "not sure", "not sure", 1.0),
    ],
)
def test_closed_sets(options: tuple[str, ...], gold: str, answer: str, right: float) -> None:
    assert closed(answer, gold, options=options) == right


@pytest.mark.parametrize(
    ("gold", "options"), [("maybe", ("yes", "no")), ("left", ("left",)), ("left", ("left", "Left.")), ("", SIDES)]
)
def test_a_gold_answer_that_is_no_option_is_a_broken_task(gold: str, options: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        closed("yes", gold, options=options)


def test_what_is_not_clear_is_left_open() -> None:
    assert [closed("not clear", gold, asks_normal=True) for gold in ("yes", "no")] == [0.0, 0.0]
