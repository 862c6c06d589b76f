"""What a run is told before it starts, where it cannot train its graph as it is asked to."""

from pathlib import Path
from typing import Any

import pytest

from rl.config import EIGHT_GPUS, LAPTOP, ConfigError, load_config
from rl.train import main
from rl.training.preflight.trainable import check_trainable
from rl.training.trainers.find import find_trainer

ROOT = Path(__file__).parents[4]
DEBATE = f"graph={ROOT}/examples/debate.py:factory"


@pytest.mark.parametrize("config", [LAPTOP, EIGHT_GPUS])
@pytest.mark.parametrize("graph", ["graph=reasoning", DEBATE, "graph=graphs.second_opinion:factory"])
def test_the_shipped_configurations_train_any_graph(config: Path, graph: str) -> None:
    check_trainable(load_config(config, [graph]))
    find_trainer("openrlhf").check_rows(load_config(config, [graph]), 5)


def test_a_graph_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="graph: Got the graph 'no_such', expected one of"):
        check_trainable(load_config(LAPTOP, ["graph=no_such"]))


def test_a_schema_that_is_not_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "from typing import TypedDict\nfrom langgraph.graph import START, StateGraph\n"
        "class Wish(TypedDict):\n    wish: str\n"
        "def factory(model, tools):\n    graph = StateGraph(Wish)\n"
        "    graph.add_node('nothing', lambda state: {})\n    graph.add_edge(START, 'nothing')\n"
        "    return graph.compile()\n"
    )
    with pytest.raises(ConfigError, match=r"whose input is \['wish'\].* define question_to_input\(question\)"):
        check_trainable(load_config(LAPTOP, [f"graph={tmp_path}/odd.py"]))


def test_a_dry_run_shows_the_graph_and_the_trainer(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["--config", str(LAPTOP), "--dry-run", "graph=examples/debate.py:factory"]) == 0
    shown = capsys.readouterr().out
    assert f"graph: {ROOT}/examples/debate.py:factory\n" in shown
    assert "rl.training.trainers.openrlhf.train " in shown
    assert main(["--config", str(LAPTOP), "--dry-run", "graph=nothing"]) == 2
    assert "error: graph: Got the graph 'nothing'" in capsys.readouterr().err
