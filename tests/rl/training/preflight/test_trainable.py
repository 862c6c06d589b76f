"""What a run is told before it starts, where it cannot train its graph as it is asked to."""

from pathlib import Path
from typing import Any

import pytest

from rl.config import EIGHT_GPUS, LAPTOP, ConfigError, load_config
from rl.train import main
from rl.training.preflight.trainable import check_rows, check_trainable

ROOT = Path(__file__).parents[4]
DEBATE = f"graph={ROOT}/examples/debate.py:factory"


@pytest.mark.parametrize("config", [LAPTOP, EIGHT_GPUS])
@pytest.mark.parametrize("graph", ["graph=reasoning", DEBATE, "graph=graphs.second_opinion:factory"])
def test_the_shipped_configurations_train_any_graph(config: Path, graph: str) -> None:
    check_trainable(load_config(config, [graph]))
    check_rows(load_config(config, [graph]), 5)


def test_a_graph_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="graph: Got the graph 'no_such', expected one of"):
        check_trainable(load_config(LAPTOP, ["graph=no_such"]))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["rl.openrlhf.algo.advantage.estimator=gae"], "estimator='gae' .* expected 'rloo' or 'dr_grpo'"),
        (["rl.openrlhf.actor.loss_agg_mode=seq-mean-token-mean"], "expected 'token-mean'"),
        (["rl.openrlhf.train.dynamic_batch_enable=true"], "would not weigh as one"),
        (["rl.openrlhf.reward.overlong_buffer_len=8"], "expected it left out"),
        (
            ["rl.openrlhf.train.batch_size=48", "rl.openrlhf.rollout.micro_batch_size=32"],
            r"expected a multiple of 32 \(rollout.micro_batch_size x 1 ranks\)",
        ),
        (["rl.samples_per_prompt=3"], r"expected a multiple of 3 \(rl.samples_per_prompt\)"),
    ],
)
def test_what_several_rows_cannot_be_trained_with_is_told(overrides: list[str], said: str) -> None:
    config = load_config(LAPTOP, overrides)
    check_rows(config, 1)
    with pytest.raises(ConfigError, match=said):
        check_rows(config, 2)


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
    assert "rl.training.trainers.openrlhf.train_rows" in shown
    assert main(["--config", str(LAPTOP), "--dry-run", "graph=nothing"]) == 2
    assert "error: graph: Got the graph 'nothing'" in capsys.readouterr().err
