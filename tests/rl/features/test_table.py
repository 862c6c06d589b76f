"""The table of graphs and features: every cell proved anew, and docs/graphs.md says what comes out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rl.config import ROOT
from rl.features.__main__ import main
from rl.features.case import NO_TOOLS, FeatureError, Shared
from rl.features.reading_policy import least, shortest
from rl.features.server import Server
from rl.features.table import MARK, Cell, columns, graphs, markdown, needs_server, prove, write
from tests.rl.one_node import ASK, one_node

DOCUMENT = (ROOT / "docs" / "graphs.md").read_text(encoding="utf-8")
SERVED = [name for name, column in columns().items() if needs_server(column)]
QUICK = [name for name in columns() if name not in SERVED]
REST_ON_TOOLS = {"cca", "evr", "toolbox", "wrappers"}


def silent(cell: Cell) -> None:
    del cell


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    return Shared.opened(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def served(shared: Shared) -> Iterator[Shared]:
    with Server.started(shared.folder) as server:
        yield shared.with_server(server)


def documented(column: str) -> dict[str, str]:
    """The document's cells of a column by graph, with the reasons that they point at."""
    lines = [line.strip("|").split("|") for line in DOCUMENT.splitlines() if line.startswith("| ")]
    head = next(line for line in lines if columns()["evr"].TITLE in (cell.strip() for cell in line))
    place = [cell.strip() for cell in head].index(columns()[column].TITLE)
    reasons = dict(re.findall(r"^(\(\d+\)) Impossible: (.*)\.$", DOCUMENT, re.MULTILINE))
    rows = {line[0].strip(): line[place].strip() for line in lines if line[0].strip() in graphs()}
    return {graph: reasons.get(cell.removeprefix("no "), cell) for graph, cell in rows.items()}


def expect_green(column: str, cells: list[Cell]) -> None:
    assert [cell for cell in cells if cell.ends == "failed"] == []
    impossible = {cell.graph for cell in cells if cell.ends == "impossible"}
    told = documented("toolbox")
    without_tools = {graph for graph, said in told.items() if said == NO_TOOLS}
    assert without_tools >= {"no_tools", "examples/debate.py"} and "reasoning" not in without_tools
    if column != "swap":  # behind a graph's only turn there is no middle
        assert impossible & told.keys() == (without_tools if column in REST_ON_TOOLS else set[str]())


def expect_documented(column: str, cells: list[Cell]) -> None:
    told = documented(column)
    assert told == {cell.graph: cell.said or "yes" for cell in cells if cell.graph in told}
    assert f"- **{columns()[column].TITLE}**: {' '.join(str(columns()[column].__doc__).split())}" in DOCUMENT


@pytest.mark.parametrize("column", QUICK)
async def test_a_feature_works_on_every_graph(shared: Shared, column: str) -> None:
    cells = await prove(shared, graphs(), [column], silent)
    expect_green(column, cells)
    expect_documented(column, cells)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("column", SERVED)
async def test_a_feature_of_a_server_works_on_every_graph(served: Shared, column: str) -> None:
    cells = await prove(served, graphs(), [column], silent)
    expect_green(column, cells)
    expect_documented(column, cells)


def test_the_rows_are_what_ships_and_all_examples() -> None:
    assert {"reasoning", "verify", "review", "examples/supervisor.py", "examples/panel.py"} < set(graphs())
    assert set(documented("evr")) == set(graphs()), "write it again: python -m rl.features --write"


def test_the_page_is_written_from_its_table_on(tmp_path: Path) -> None:
    cells = [Cell(graph, column, "yes") for graph in graphs() for column in columns()]
    page = tmp_path / "graphs.md"
    page.write_text(DOCUMENT)
    write(page, cells)
    head, mark, table = page.read_text().partition(MARK)
    assert (head, table) == (DOCUMENT.partition(MARK)[0], f"\n\n{markdown(cells)}\n") and mark
    page.write_text("No table.")
    with pytest.raises(FeatureError, match="expected the line"):
        write(page, cells)


@pytest.mark.parametrize("some", [["no_tools"], ["--quick"], ["--columns", "evr"]])
def test_a_part_of_the_table_is_not_written(some: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main([*some, "--write"])
    assert "--write needs all graphs and columns" in capsys.readouterr().err


def test_what_fails_is_a_failure_and_ends_the_command_with_1(tmp_path: Path, capsys: Any) -> None:
    graph = one_node(tmp_path, ASK, "return {'answer': 'never'}")
    assert main([graph, "--columns", "streaming,cca"]) == 1
    shown = capsys.readouterr().out
    assert f"| {graph} | FAILED | FAILED |" in shown
    assert f"FAILED: streaming on {graph}: FeatureError: Got the answer 'never', expected " in shown
    assert main(["no_tools", "--columns", "streaming,toolbox", "--json"]) == 0


def test_the_table_says_once_why_something_is_impossible() -> None:
    cells = [Cell("a", "cca", "impossible", "why"), Cell("b", "cca", "impossible", "why"), Cell("c", "cca", "yes")]
    assert markdown(cells).splitlines()[:7] == [
        "| | CCA |",
        "|---|---|",
        "| a | no (1) |",
        "| b | no (1) |",
        "| c | yes |",
        "",
        "(1) Impossible: why.",
    ]


def test_the_shortest_that_a_grammar_lets_through() -> None:
    schema = {
        "$defs": {"place": {"enum": ["left", "right"]}},
        "type": "object",
        "properties": {
            "places": {"type": "array", "items": {"$ref": "#/$defs/place"}, "minItems": 2},
            "size": {"type": "integer", "minimum": 3},
            "note": {"type": "string"},
            "extra": {"type": "string"},
        },
        "required": ["places", "size", "note"],
    }
    assert least(schema, schema, "word") == {"places": ["left", "left"], "size": 3, "note": "word"}
    tag = {"type": "tag", "begin": "<answer>", "content": {"type": "json_schema", "json_schema": schema}, "end": "<e>"}
    whole = {"type": "sequence", "elements": [{"type": "any_text"}, tag]}
    assert shortest(whole, "word") == 'word<answer>{"places": ["left", "left"], "size": 3, "note": "word"}<e>'
