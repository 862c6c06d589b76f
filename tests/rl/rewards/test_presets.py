"""What honest work, guessing, unmended failures and reward hacking earn under every preset."""

from typing import Any

import pytest

from rl.config import LAPTOP as CONFIG
from rl.config import ConfigError, Rl, load_config
from rl.rewards.compose import score
from rl.rewards.presets import PRESETS, weights_of
from rl.rewards.registry import components, group_components
from tests.rl.rewards.test_components import call, ended, task

PAYS_FOR_LOOKING = [name for name in PRESETS if "tool_use" in PRESETS[name]]


def earns(weights: dict[str, float], state: Any, needs_tool: bool | None = True) -> float:
    return score(task(needs_tool), state, weights)[0]


LOOKED = ended("solid", call(x=1), turns=2)
LUCKY = ended("solid")
GUESSED_WRONG = ended("cystic")
IDLE = ended("cystic", *(call(x=x) for x in range(4)), turns=3)
"""Calls tools for their own sake, and is wrong."""
BUSY = ended("solid", *(call(x=x) for x in range(4)), turns=3)
UNMENDED = ended("solid", call("failed", x=1), turns=2)
MENDED = ended("solid", call("retry", x=1), call(x=2), turns=3)
ABSTAINED = ended(None)


def test_presets_name_components_that_there_are() -> None:
    for weights in PRESETS.values():
        assert set(weights) <= {*components(), *group_components()}
        assert max(weights, key=lambda name: weights[name]) == "answer"


@pytest.mark.parametrize("name", PRESETS)
def test_under_every_preset_no_trick_beats_a_right_answer(name: str) -> None:
    weights = weights_of(name)
    assert earns(weights, LOOKED) >= earns(weights, LUCKY) > earns(weights, GUESSED_WRONG)
    assert earns(weights, IDLE) <= earns(weights, GUESSED_WRONG)  # calling for its own sake
    assert earns(weights, BUSY) <= earns(weights, LOOKED)  # more calls than needed
    assert earns(weights, UNMENDED) < earns(weights, LOOKED)
    assert earns(weights, ABSTAINED) >= earns(weights, IDLE)


@pytest.mark.parametrize("name", PAYS_FOR_LOOKING)
def test_where_looking_pays_a_look_earns_more_than_a_lucky_guess(name: str) -> None:
    weights = weights_of(name)
    assert earns(weights, LOOKED) > earns(weights, LUCKY)
    assert earns(weights, MENDED) > earns(weights, UNMENDED)


def test_what_is_earned_under_careful() -> None:
    weights = weights_of("careful")
    assert earns(weights, LOOKED) == pytest.approx(1.63)  # 1 + 0.2 + 0.5 - 0.05 - 0.02
    assert earns(weights, LUCKY) == pytest.approx(0.7)  # 1 + 0.2 - 0.5
    assert earns(weights, GUESSED_WRONG) == pytest.approx(0.2)
    assert earns(weights, ABSTAINED) == pytest.approx(0.2)
    assert earns(weights, UNMENDED) == pytest.approx(0.13)  # 1 - 0.5 - 0.3 - 0.05 - 0.02: not looked, not mended
    assert earns(weights, MENDED) == pytest.approx(1.36)  # 1 + 0.5 - 0.1 - 0.04
    assert earns(weights, IDLE) == pytest.approx(-0.04)  # 0.2 - 0.2 - 0.04
    assert earns(weights, ended("solid", call(x=1), turns=2), needs_tool=False) == pytest.approx(1.13)  # no bonus
    assert earns(weights, ended("solid"), needs_tool=False) == pytest.approx(1.2)


def test_what_is_earned_under_the_papers_presets() -> None:
    gym, vista = weights_of("medvistagym"), weights_of("vista_gym")
    assert [earns(gym, state) for state in (LOOKED, LUCKY, UNMENDED, IDLE)] == pytest.approx([1.7, 1.2, 1.0, 0.2])
    assert [earns(vista, state) for state in (LOOKED, LUCKY, UNMENDED, IDLE)] == pytest.approx([1.2, 1.2, 1.0, 0.2])
    again = ended("solid", call(x=1), call(x=1), turns=3)
    assert earns(vista, again) == pytest.approx(1.2 - 0.5 * 2 / 3)  # the same call twice


def test_guessing_a_letter_earns_by_chance_and_less_than_looking() -> None:
    options = {"options": ["one", "two", "three", "four"]}
    from dataclasses import replace

    asked = replace(task(), answer="B", grader="choice", rules=options)
    for name in PAYS_FOR_LOOKING:
        weights = weights_of(name)
        guesses = [score(asked, ended(letter), weights)[0] for letter in "ABCD"]
        everything = score(asked, ended("A, B, C or D"), weights)[0]
        looked = score(asked, ended("B", call(x=1), turns=2), weights)[0]
        assert looked > max(guesses) and everything == min(guesses)
        assert sum(guesses) / 4 < looked / 2


def test_a_config_may_name_a_preset() -> None:
    assert Rl.model_validate({"rewards": "medvistagym"}).rewards == PRESETS["medvistagym"]
    assert load_config(CONFIG, ["rl.rewards=vista_gym"]).rl.rewards == PRESETS["vista_gym"]
    assert load_config(CONFIG, ["rl.rewards.calls=-0.2"]).rl.rewards["answer"] == 1.0
    with pytest.raises(ConfigError, match="one of medvistagym, vista_gym, medvr, careful"):
        load_config(CONFIG, ["rl.rewards=everything"])
