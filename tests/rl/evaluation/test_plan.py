"""A plan: who is asked what, and what must not be mixed."""

import json
from pathlib import Path

import pytest

from rl.evaluate import parse, settings_of, subjects_of
from rl.evaluation.plan import PlanError, Settings, agree
from rl.evaluation.subjects import PolicyNameError, Subject, check

ONE, TWO = Subject("one", "http://127.0.0.1:1"), Subject("two", "openai:m", tools=False)


def test_policies_may_be_added_and_settings_may_not_change(tmp_path: Path) -> None:
    settings = Settings(tasks=("phantoms",))
    assert agree(tmp_path, settings, [ONE]) == [ONE]
    assert agree(tmp_path, settings, [TWO]) == [ONE, TWO]
    assert agree(tmp_path, settings, [ONE]) == [ONE, TWO]
    with pytest.raises(PlanError, match=r"count 9 \(there 200\)"):
        agree(tmp_path, settings.model_copy(update={"count": 9}), [ONE])
    with pytest.raises(PlanError, match="holds openai:m under that name"):
        agree(tmp_path, settings, [Subject("two", "openai:other", tools=False)])
    assert json.loads((tmp_path / "plan.json").read_text())["policies"]["two"] == {"spec": "openai:m", "tools": False}


def test_a_name_stands_for_all_settings() -> None:
    names = {Settings(tasks=("phantoms",), **each).name for each in ({}, {"count": 3}, {"graph_version": "a"})}
    assert len(names) == 3 and Settings(tasks=("phantoms",)).name in names


@pytest.mark.parametrize("spec", ["nowhere/at/all", "openai:", "ftp:", "C-3:po", ""])
def test_what_names_no_policy_is_told(spec: str) -> None:
    with pytest.raises(PolicyNameError, match="expected a checkpoint's folder, the http:// address"):
        check(spec)


def test_policies_get_short_names(tmp_path: Path) -> None:
    folder = tmp_path / "rl-00040"
    folder.mkdir()
    line = ["--policy", str(folder), "--policy", "closed=openai:gpt", "--bare-policy", str(folder)]
    assert subjects_of(parse(line)) == [
        Subject("rl-00040", str(folder)),
        Subject("closed", "openai:gpt"),
        Subject("rl-00040-bare", str(folder), tools=False),
    ]
    with pytest.raises(PolicyNameError, match="expected each once"):
        subjects_of(parse(["--policy", str(folder), "--policy", str(folder)]))
    with pytest.raises(PolicyNameError, match="Got no policy"):
        subjects_of(parse([]))


def test_settings_that_make_no_sense_are_told() -> None:
    assert settings_of(parse(["--samples", "4"])).temperature == 1.0
    assert settings_of(parse([])).temperature == 0.0
    with pytest.raises(PlanError, match="4 samples at temperature 0"):
        settings_of(parse(["--samples", "4", "--temperature", "0"]))
    with pytest.raises(PlanError, match=r"Got the graph 'none', expected one of .*reasoning"):
        settings_of(parse(["--graph", "none"]))
    with pytest.raises(PlanError, match="Got the tool name 'fly'"):
        settings_of(parse(["--tools", "fly"]))
    assert settings_of(parse(["--tools", ""])).tools == ()
