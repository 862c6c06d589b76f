"""When a turn of the base counts as right: the same words, or places that are near enough."""

import pytest

from rl.toy.measure import is_right

CALL = '<think>I must look closer.</think><tool_call>{"name": "%s", "arguments": {"image": 1, "box": %s}}</tool_call>'
ANSWER = "<think>I can see it.</think><answer>%s</answer>"


@pytest.mark.parametrize(
    ("said", "taught", "right"),
    [
        (ANSWER % "round", ANSWER % "round", True),
        (ANSWER % "round", ANSWER % "elongated", False),
        (ANSWER % "12", ANSWER % "13", False),
        (ANSWER % "[100, 140, 300, 400]", ANSWER % "[140, 100, 300, 400]", True),
        (ANSWER % "[100, 141, 300, 400]", ANSWER % "[140, 100, 300, 400]", False),
        (ANSWER % "[100, 140, 300]", ANSWER % "[100, 140, 300, 400]", False),
        (ANSWER % "[100, 140", ANSWER % "[100, 140, 300, 400]", False),
        (ANSWER % "100", ANSWER % "[100, 140, 300, 400]", False),
        (CALL % ("zoom_in", "[100, 140, 300, 400]"), CALL % ("zoom_in", "[100, 100, 300, 440]"), True),
        (CALL % ("zoom_in", "[100, 140, 300, 400]"), CALL % ("zoom_in", "[100, 100, 300, 441]"), False),
        (CALL % ("other", "[100, 140, 300, 400]"), CALL % ("zoom_in", "[100, 140, 300, 400]"), False),
        (ANSWER % "round", CALL % ("zoom_in", "[100, 140, 300, 400]"), False),
        ("no turn at all <tool_call>", ANSWER % "round", False),
    ],
)
def test_what_counts_as_right(said: str, taught: str, right: bool) -> None:
    assert is_right(said, taught) is right
