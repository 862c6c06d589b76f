"""So many calls an episode: counted from the episode's own past, so episodes that share a Toolbox never meet."""

import asyncio

import pytest
from langchain_core.tools import BaseTool, tool

from tools.images.store import ImageStore
from tools.run.budget import Budget
from tools.toolbox import Toolbox, ToolCall


def tools() -> list[BaseTool]:
    @tool
    def look(x: int = 1) -> str:
        """Look."""
        return "seen"

    @tool
    def measure(x: int = 1) -> str:
        """Measure."""
        return "measured"

    return [look, measure]


def calls(*names: str) -> list[ToolCall]:
    return [ToolCall(name=name, arguments={}) for name in names]


async def test_all_tools_together(store: ImageStore) -> None:
    box = Toolbox(tools(), wrappers=[Budget(3)])
    results = await box.run(calls("look", "measure"), [], store, {"look": 2})
    assert [each.status for each in results] == ["ok", "retry"]
    assert results[1].text == (
        "measure: got one more call of any tool, expected at most 3 calls in an episode; 3 made, 0 left. "
        "Go on without: answer with what you have seen."
    )


async def test_one_tool_and_all_and_a_refused_call_costs_nothing(store: ImageStore) -> None:
    box = Toolbox(tools(), wrappers=[Budget(1, ["look"]), Budget(3)])
    results = await box.run(calls("look", "look", "measure", "measure"), [], store)
    assert [each.status for each in results] == ["ok", "retry", "ok", "ok"]  # look twice, but three calls in all
    assert "one more call of look, expected at most 1 call in an episode; 1 made, 0 left" in results[1].text
    assert "call another tool, or answer" in results[1].text
    (wrong,) = await box.run([ToolCall(name="look", arguments={"y": 1})], [], store, {"look": 1})
    assert "unknown argument" in wrong.text  # it would be refused anyway, but this it can mend


async def test_a_call_that_is_sent_back_by_validation_costs_nothing_in_its_turn(store: ImageStore) -> None:
    box = Toolbox(tools(), wrappers=[Budget(1)])
    results = await box.run([ToolCall(name="look", arguments={"x": "y"}), *calls("look")], [], store)
    assert [each.status for each in results] == ["retry", "ok"]


async def test_episodes_that_share_a_toolbox_at_the_same_time_do_not_share_a_budget(store: ImageStore) -> None:
    box = Toolbox(tools(), wrappers=[Budget(2)])
    turns = await asyncio.gather(*(box.run(calls("look", "look", "look"), [], store) for _ in range(20)))
    assert [[each.status for each in turn] for turn in turns] == [["ok", "ok", "retry"]] * 20


def test_a_budget_for_a_tool_that_is_not_there_or_below_nothing() -> None:
    with pytest.raises(
        ValueError, match=r"a wrapper for the tool 'loook', expected one of look, measure\. Did you mean look"
    ):
        Toolbox(tools(), wrappers=[Budget(1, ["loook"])])
    with pytest.raises(ValueError, match="expected 0 or more"):
        Budget(-1)
