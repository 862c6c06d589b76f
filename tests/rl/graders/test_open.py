"""Open answers: exact after normalising, token F1, accepted answers."""

import pytest

from rl.graders.open import open, token_f1, tokens


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("right lower lobe", "right lower lobe", 1.0),
        ("Right Lower Lobe.", "right lower lobe", 1.0),
        ("the right lower lobe", "right lower lobe", 1.0),
        ("The answer is the right lower lobe", "right lower lobe", 1.0),
        ("It is the right lower lobe", "right lower lobe", 1.0),
        ("in the right lower lobe", "right lower lobe", 0.0),
        ("lower lobe", "right lower lobe", 0.0),
        ("right lower lobe or left lower lobe", "right lower lobe", 0.0),
        ("not right lower lobe", "right lower lobe", 0.0),
        ("x-ray", "X ray", 1.0),
        ("two", "2", 1.0),
        ("2.5 cm", "2.5 cm", 1.0),
        ("25 cm", "2.5 cm", 0.0),
        ("CT/MRI", "ct mri", 1.0),
        ("", "right lower lobe", 0.0),
        ("the", "right lower lobe", 0.0),
        ("right lower lobe " * 60, "right lower lobe", 0.0),
    ],
)
def test_exact(answer: str, gold: str, right: float) -> None:
    assert open(answer, gold) == right


def test_accepted_answers_are_right_too() -> None:
    rules = {"accepted": ["CT", "CT scan"]}
    assert [open(said, "computed tomography", **rules) for said in ("ct scan", "CT.", "MRI")] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("answer", "gold", "f1"),
    [
        ("right lower lobe", "right lower lobe", 1.0),
        ("lower lobe", "right lower lobe", 0.8),  # 2 * 2 / (2 + 3)
        ("the left lower lobe", "right lower lobe", 2 / 3),  # 2 * 2 / (3 + 3)
        ("brain", "right lower lobe", 0.0),
        ("no consolidation", "consolidation", 0.0),
        ("consolidation", "no consolidation", 0.0),
        ("no clear consolidation", "no consolidation", 0.8),
        ("right right right right", "right lower lobe", 2 / 7),  # a word counts as often as gold has it
    ],
)
def test_f1(answer: str, gold: str, f1: float) -> None:
    assert token_f1(tokens(answer), tokens(gold)) == pytest.approx(f1)
    assert open(answer, gold, credit="f1") == pytest.approx(f1)


def test_saying_everything_earns_little() -> None:
    everything = " ".join(f"word{number}" for number in range(60)) + " right lower lobe"
    assert open(everything[:290], "right lower lobe", credit="f1") < 0.2
    assert open(everything * 10, "right lower lobe", credit="f1") == 0.0


@pytest.mark.parametrize(("gold", "rules"), [("", {}), ("the", {}), ("...", {}), ("lung", {"credit": "half"})])
def test_a_gold_answer_without_a_word_is_a_broken_task(gold: str, rules: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        open("lung", gold, **rules)  # type: ignore[arg-type]
