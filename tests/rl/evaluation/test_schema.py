"""report.json and evaluation.json: what is unknown is null, what cannot be is refused."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from rl.evaluation.metrics import Episodes, difference, gains, measure
from rl.evaluation.schema import Evaluation, Exactness, Report, Stage
from rl.trajectories.record import Trajectory


def written(report: Report | Evaluation) -> dict[str, Any]:
    return json.loads(report.model_dump_json(), parse_constant=pytest.fail)


def test_every_part_of_an_empty_report_is_null() -> None:
    found = written(Report())
    assert found["conditions"] == {"no_tools": None, "tools_untrained": None, "warmup": None, "trained": None}
    assert found["gain"] == {"over_tools_untrained": None, "over_no_tools": None, "over_warmup": None}
    assert found["stages"] == {"base": None, "warmup": None, "rl": None, "evaluate": None}
    assert found["exactness"]["refused"] is None and found["swaps"] == []


def test_undefined_figures_become_null() -> None:
    report = Report(conditions={"trained": measure(Episodes())}, gain=dict(gains({})), exactness=Exactness(refused=0))
    found = written(report)
    trained = found["conditions"]["trained"]
    assert trained["accuracy"] is None and trained["ci95"] == [None, None] and trained["n"] == 0
    assert trained["tool_call_rate_by_need"] == {"needed": None, "not_needed": None}
    gain = found["gain"]["over_warmup"]
    assert (gain["points"], gain["ci95"], gain["n"], gain["by_kind"]) == (None, [None, None], 0, {})
    assert found["exactness"]["mean_logprob_difference"] is None and found["exactness"]["refused"] == 0


def test_a_zero_stays_a_zero() -> None:
    assert written(Report(stages={"rl": Stage(seconds=0.0)}))["stages"]["rl"]["seconds"] == 0.0


def test_both_files_tell_of_a_policy_and_of_a_difference_in_one_shape(episode: Callable[..., Trajectory]) -> None:
    asked = {"trained": [episode("a")], "warmup": [episode("a", right=False)]}
    policies = {name: measure(Episodes(made, sizes={"i": (200, 200)})) for name, made in asked.items()}
    run = written(Report(conditions=dict(policies), gain=dict(gains(asked))))
    compared = difference("trained", "warmup", asked)
    evaluation = written(Evaluation(settings={}, policies=policies, differences=(compared,)))
    assert evaluation["policies"]["trained"] == run["conditions"]["trained"]
    assert evaluation["differences"] == [run["gain"]["over_warmup"]]
    assert run["gain"]["over_warmup"]["points"] == 100.0


def test_an_infinite_difference_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_logprob_difference"):
        Exactness(max_logprob_difference=math.inf)


def test_a_misspelt_figure_is_refused() -> None:
    with pytest.raises(ValidationError, match="secnds"):
        Stage.model_validate({"secnds": 1.0})
