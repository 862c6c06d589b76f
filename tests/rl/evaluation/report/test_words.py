"""Figures as words, worked by hand."""

from rl.evaluation.report.words import MISSING, duration, number, points, share, share_range


def test_shares() -> None:
    assert share(0.9333) == "93.3\N{NO-BREAK SPACE}%"
    assert share_range((0.9, 1.0)) == "90.0 to 100.0\N{NO-BREAK SPACE}%"
    assert share_range((None, None)) == ""


def test_points() -> None:
    assert points(24.21) == "+24.2"
    assert points(-3.04) == "\N{MINUS SIGN}3.0"


def test_numbers() -> None:
    assert (number(3840), number(0), number(0.00361, 4), number(0.5)) == ("3,840", "0", "0.0036", "0.50")


def test_durations() -> None:
    assert [duration(each) for each in (0.117, 48.3, 512.9, 59.7, 3840.0)] == [
        "0.12 s",
        "48 s",
        "8 min 33 s",
        "1 min 00 s",
        "1 h 04 min",
    ]


def test_what_is_missing_says_so() -> None:
    assert {share(None), points(None), number(None), duration(None)} == {MISSING}
