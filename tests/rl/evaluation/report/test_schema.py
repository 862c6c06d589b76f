"""report.json: what is unknown is null, what cannot be is refused."""

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from rl.evaluation.report.metrics import exactness, gains, summarise
from rl.evaluation.report.schema import Report


def written(report: dict[str, Any]) -> dict[str, Any]:
    return json.loads(Report.model_validate(report).model_dump_json(), parse_constant=pytest.fail)


def test_every_part_of_an_empty_report_is_null() -> None:
    found = written({})
    assert found["conditions"] == {"no_tools": None, "tools_untrained": None, "warmup": None, "trained": None}
    assert found["gain"] == {"over_tools_untrained": None, "over_no_tools": None, "over_warmup": None}
    assert found["stages"] == {"base": None, "warmup": None, "rl": None, "evaluate": None}
    assert found["exactness"]["refused"] is None and found["swaps"] == []


def test_undefined_figures_of_metrics_become_null() -> None:
    found = written({"conditions": {"trained": summarise([])}, "gain": gains({}), "exactness": exactness(0, 0)})
    trained = found["conditions"]["trained"]
    assert trained["accuracy"] is None and trained["ci95"] == [None, None] and trained["n"] == 0
    assert trained["tool_call_rate_by_need"] == {"needed": None, "not_needed": None}
    assert found["gain"]["over_warmup"] == {"points": None, "ci95": [None, None], "n": 0, "by_kind": {}}
    assert found["exactness"]["mean_logprob_difference"] is None and found["exactness"]["refused"] == 0


def test_a_zero_stays_a_zero() -> None:
    assert written({"stages": {"rl": {"seconds": 0.0}}})["stages"]["rl"]["seconds"] == 0.0


def test_an_infinite_difference_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_logprob_difference"):
        Report.model_validate({"exactness": exactness(10, 0, 0.1, math.inf)})


def test_a_misspelt_figure_is_refused() -> None:
    with pytest.raises(ValidationError, match="accuracy"):
        Report.model_validate({"conditions": {"trained": {**summarise([]), "accuracy": "high"}}})
    wrong = summarise([])
    wrong["acuracy"] = wrong.pop("accuracy")
    with pytest.raises(ValidationError, match=r"accuracy\n.*required"):
        Report.model_validate({"conditions": {"trained": wrong}})


def test_more_may_be_reported() -> None:
    assert written({"throughput": {"ratio": 0.96}})["throughput"] == {"ratio": 0.96}
