"""What the check of a graph sees: rows that hold each picked call once, as it was sampled, and rows that do not."""

import json
from typing import Any, cast

import pytest

from agent.chat.record.ledger import Ledger, Sampled
from agent.policies.policy import Completion
from rl.check_graph.alignment import EpisodeReport, RowReport, check_episode, faults_across_rows
from rl.check_graph.table import as_json, table, verdict

FIRST, SECOND, THIRD = (1, 2), (3,), (4, 5, 6)


def given(*turns: tuple[int, ...]) -> list[Completion]:
    return [Completion(turn, (-1.0,) * len(turn), "stop", ("v",), None) for turn in turns]


def ledger(*turns: tuple[int, ...], samples: str = "abc") -> Ledger:
    """Each turn behind one id of context; `samples`: the name of each."""
    ids: list[int] = []
    sampled: list[Sampled] = []
    for turn, sample in zip(turns, samples, strict=False):
        ids.append(0)
        sampled.append(Sampled(len(ids), len(ids) + len(turn), (-1.0,) * len(turn), ("v",), "stop", sample))
        ids += turn
    return Ledger(tuple(ids), tuple(sampled), ())


def call(sample: str, ids: tuple[int, ...], picked: bool = True) -> dict[str, Any]:
    return {"sample": sample, "node": f"node_{sample}", "picked": picked, "ids": ids}


MADE = [call("a", FIRST), call("b", SECOND), call("c", THIRD, picked=False)]
ROWS = [ledger(FIRST, SECOND)]


def faults(ledgers: list[Ledger], completions: Any = None) -> list[str]:
    return faults_across_rows(ledgers, MADE, given(FIRST, SECOND, THIRD) if completions is None else completions)


def test_each_picked_call_once_is_sound() -> None:
    assert faults(ROWS) == []


@pytest.mark.parametrize(
    ("ledgers", "said"),
    [
        ([ledger(FIRST)], "node_b is trained in 0 rows, expected one row"),
        ([*ROWS, ledger(FIRST)], "node_a is trained in 2 rows, expected one row"),
        ([*ROWS, ledger(THIRD, samples="c")], "node_c is trained in 1 rows, expected none, as it is"),
        ([ledger(FIRST, (9,))], "node_b is trained with other ids than were sampled"),
        ([*ROWS, ledger(THIRD, samples="x")], "1 trained ranges belong to no call"),
    ],
)
def test_what_is_trained_otherwise_is_told(ledgers: list[Ledger], said: str) -> None:
    (fault,) = faults(ledgers)
    assert said in fault


def test_a_call_that_was_not_recorded_is_told() -> None:
    (fault,) = faults(ROWS, completions=given(FIRST, SECOND, THIRD, THIRD))
    assert fault == "3 calls are recorded, of 4 that the server answered"


SOUND = EpisodeReport(1, "answered", 3, 2, [RowReport(1, 0, ["a", "b"], 5, 3, 1, 2e-6, 9e-6)], [])
NAN = float("nan")
IDLE = EpisodeReport(2, "answered", 1, 0, [RowReport(2, 0, [], 5, 0, 1, NAN, NAN)], [])
FAULTY = EpisodeReport(3, "answered", 1, 1, [RowReport(3, 0, ["a"], 5, 1, 1, 0.5, 0.5, ["far off"])], ["twice"])


def test_the_verdict() -> None:
    assert verdict("g", [SOUND, IDLE]) == (
        True,
        "EXACT: 2 episodes of g, 2 rows, 3 sampled ids; log-probabilities differ by 2.0e-06 on average (limit 0.01).",
    )
    assert verdict("g", [SOUND, FAULTY]) == (False, "NOT EXACT: 1 of 2 episodes of g must not train.")
    assert verdict("g", [IDLE])[0] is False


def test_the_table_says_what_is_wrong_below_its_row() -> None:
    lines = table([SOUND, FAULTY]).splitlines()
    assert lines[1].split() == ["1", "0", "a", "b", "5", "3", "1", "2.0e-06", "9.0e-06", "ok"]
    assert lines[2].endswith("FAULTY")
    assert [line.strip() for line in lines[3:]] == ["far off", "twice"]


def test_the_json_has_null_where_nothing_is_known() -> None:
    plain = json.loads(json.dumps(as_json("g", [SOUND, IDLE]), allow_nan=False))
    assert plain["exact"] is True
    assert [each["rows"][0]["mean"] for each in plain["episodes"]] == [2e-6, None]


def test_an_episode_that_never_asks_is_told() -> None:
    state: Any = {"outcome": "answered", "bug": ""}
    report = check_episode(1, state, [], cast(Any, None), cast(Any, None))
    assert not report.sound and "ended without asking the policy" in table([report])
    assert verdict("mute", [report]) == (False, "NOT EXACT: 1 of 1 episodes of mute must not train.")
    assert as_json("mute", [report])["episodes"][0]["rows"] == []


def test_an_episode_that_a_bug_ended_is_told() -> None:
    state: Any = {"outcome": "bug", "bug": "KeyError: 'lesion' (line 6 of odd.py)"}
    report = check_episode(1, state, [], cast(Any, None), cast(Any, None))
    assert "a bug of the graph ended it: KeyError: 'lesion' (line 6 of odd.py)" in table([report])
