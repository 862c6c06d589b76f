"""Which graphs there are, and that each can be drawn without network and without a policy."""

import inspect
import json
from pathlib import Path

import pytest
from PIL import Image

from graphs.__main__ import main
from graphs.app import catalogue, drawing
from graphs.app.server import factories

ROOT = Path(__file__).parents[3]
NAMES = list(catalogue.graphs())


def test_every_graph_is_listed_with_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == NAMES
    assert {"reasoning", "verify"} < set(NAMES)
    assert all(line.partition(": ")[2] for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_is_drawn_as_text_and_as_a_picture(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", name]) == 0
    text = capsys.readouterr().out
    nodes = [node for node in catalogue.drawable(catalogue.graphs()[name]).nodes if not node.startswith("__")]
    assert nodes and all(node in text for node in nodes)
    file = tmp_path / "pictures" / "graph.png"
    assert main(["draw", name, "--png", str(file)]) == 0
    with Image.open(file) as drawn:
        assert drawn.format == "PNG"
        assert len(set(drawn.convert("L").tobytes())) > 16  # not a blank sheet


def test_nodes_stand_in_rows_by_their_distance_and_the_end_last() -> None:
    edges = [("__start__", "a", False), ("a", "b", True), ("a", "c", True), ("b", "a", False), ("c", "__end__", False)]
    assert drawing.layout(["__start__", "a", "b", "c", "__end__"], edges) == {
        "__start__": (0, 0),
        "a": (0, 1),
        "b": (-0.5, 2),
        "c": (0.5, 2),
        "__end__": (0, 3),
    }


def test_langgraphs_own_server_is_told_of_every_graph() -> None:
    config = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    assert config["http"]["app"] == "graphs.app.server.images:app"  # imports what tells it of them
    told = {"LANGSERVE_GRAPHS": json.dumps({**config["graphs"], "mine": "./mine.py:graph"})}
    factories.serve_catalogue(told)
    ours = {name: f"graphs.app.server.factories:{name}" for name in NAMES}
    assert json.loads(told["LANGSERVE_GRAPHS"]) == {**ours, "mine": "./mine.py:graph"}
    assert all(inspect.iscoroutinefunction(vars(factories)[name]) for name in NAMES)
    assert inspect.isasyncgenfunction(inspect.unwrap(factories.threads))
    assert config["checkpointer"] == {"path": "graphs.app.server.factories.threads"}


@pytest.mark.parametrize("name", NAMES)
def test_every_graph_says_its_schemas(name: str) -> None:
    """As LangGraph's server asks for them."""
    graph = catalogue.empty(catalogue.graphs()[name])
    assert set(graph.get_input_jsonschema()["properties"]) == {"images", "question"}
    assert {"answer", "evidence", "outcome", "versions"} <= set(graph.get_output_jsonschema()["properties"])
    with pytest.warns(DeprecationWarning, match="config_schema"):
        graph.config_schema().model_json_schema()  # as the server asks


def test_swapping_where_no_server_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["swap", str(ROOT / "rl" / "toy" / "checkpoint")]) == 2
