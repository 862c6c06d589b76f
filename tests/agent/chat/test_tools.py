"""Tools over the messages of a conversation: which calls are let through, what comes back, what a fork repeats.

That the same calls run on every kind of graph is in tests/graphs/test_toolboxes.py.
"""

import json
from collections.abc import Callable, Sequence
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, tools_condition
from langgraph.types import Command, Send, interrupt

from agent.chat import Episode, PolicyChatModel
from agent.chat.tools import for_messages, spent_in, tool_message, toolbox_of
from tests.agent.chat.conftest import Heard
from tools.calls import ToolCall, ToolResult
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.medical_tool import MedicalTool, medical_tool
from tools.registry import load_tools
from tools.run.budget import Budget
from tools.run.wrapper import only
from tools.toolbox import Toolbox

Speaking = Callable[..., tuple[PolicyChatModel, Heard]]
Graph = Callable[..., Any]
ZOOM = ToolCall(name="zoom_in", arguments={"image": 1, "box": [0, 0, 499, 499]})
ECHO = ToolCall(name="echo", arguments={"text": "a"})
WRONG = ToolCall(name="zoom_in", arguments={"image": 9, "box": [0, 0, 499, 499]})
UNKNOWN = ToolCall(name="zoom_out", arguments={})
ROOM = {"max_tokens": 1000, "context": 8000}


@tool
def echo(text: str) -> str:
    """Say a text."""
    return f"said {text}"


def turn(*calls: ToolCall) -> str:
    said = [f"<tool_call>{json.dumps(call.model_dump())}</tool_call>" for call in calls]
    return f"<think>x</think>{''.join(said)}" if calls else "<think>x</think><answer>cystic</answer>"


def script(*turns: Sequence[ToolCall]) -> Callable[[int, str], str]:
    return lambda number, _: turn(*(turns[number] if number < len(turns) else ()))


def asked(store: ImageStore, scan: MedicalImage) -> HumanMessage:
    return HumanMessage([{"type": "image", "file_id": store.put(scan)}, {"type": "text", "text": "What is it?"}])


def by_hand(model: Any, tools: Sequence[BaseTool], checkpointer: Any = None, **pauses: Any) -> Any:
    """A graph of a user's own."""

    async def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.bind_tools(tools).ainvoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node(read)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "read")
    graph.add_conditional_edges("read", tools_condition)
    graph.add_edge("tools", "read")
    return graph.compile(checkpointer=checkpointer, **pauses)


GRAPHS: list[Graph] = [by_hand, create_agent]


def results(messages: Sequence[AnyMessage]) -> list[ToolResult]:
    """What the tools gave, by the artifacts of their messages; without how long it took."""
    told = [message for message in messages if isinstance(message, ToolMessage) and message.artifact is not None]
    return [timeless(ToolResult.model_validate(message.artifact)) for message in told]


def timeless(result: ToolResult) -> ToolResult:
    return result.model_copy(update={"seconds": 0.0})


async def test_places_of_a_turn_that_run_by_themselves(store: ImageStore, scan: MedicalImage) -> None:
    calls, images = [ECHO, UNKNOWN, ZOOM, WRONG, ECHO], [store.put(scan)]
    box = Toolbox([*load_tools(["zoom_in"]), echo], max_calls=5, wrappers=[Budget(3)])
    whole = [timeless(each) for each in await box.run(calls, images, store, {"echo": 1})]
    assert [each.status for each in whole] == ["ok", "retry", "ok", "retry", "retry"]
    alone = [await box.run(calls, images, store, {"echo": 1}, [place]) for place in (4, 2, 0, 3, 1)]
    assert [timeless(each) for (each,) in alone] == [whole[place] for place in (4, 2, 0, 3, 1)]
    some = await box.run(calls, images, store, {"echo": 1}, [1, 4])
    assert [timeless(each) for each in some] == [whole[1], whole[4]]


def test_a_synchronous_graph(speaking: Speaking, store: ImageStore, scan: MedicalImage) -> None:
    model, _ = speaking(script([ZOOM, ECHO, ECHO, ECHO]), **ROOM)
    agent = create_agent(model, for_messages(Toolbox([*load_tools(["zoom_in"]), echo], wrappers=[Budget(3)]), store))
    done = agent.invoke({"messages": [asked(store, scan)]})
    assert [each.status for each in results(done["messages"])] == ["ok", "ok", "ok", "retry"]


async def test_a_call_that_waits_for_a_person_is_let_through_as_if_it_had_not_waited(
    speaking: Speaking, store: ImageStore, scan: MedicalImage, tmp_path: Path
) -> None:
    """A tool of the graph's own interrupts in the middle of a turn; its siblings have run in another process."""
    ran: list[str] = []

    @tool
    def ask(text: str, state: Annotated[Any, InjectedState]) -> str:
        """Ask a person."""
        return str(interrupt(text))

    @tool
    def note(text: str) -> str:
        """Note a text."""
        ran.append(text)
        return "noted"

    calls = [ToolCall(name=name, arguments={"text": name + str(at)}) for at, name in enumerate(["note", "ask"] * 2)]
    calls += [ToolCall(name="note", arguments={"text": "last"})]

    async def opened(given: Any) -> dict[str, Any]:
        model, _ = speaking(script(calls), **ROOM)
        box = Toolbox([note, ask], wrappers=[Budget(2, "note")], max_calls=9)
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
            agent = create_agent(model, for_messages(box, store), checkpointer=saver)
            return await agent.ainvoke(given, {"configurable": {"thread_id": "1"}})

    stopped = await opened({"messages": [asked(store, scan)]})
    assert sorted(each.value for each in stopped["__interrupt__"]) == ["ask1", "ask3"]
    done = await opened(Command(resume={each.id: each.value.upper() for each in stopped["__interrupt__"]}))
    said = {message.tool_call_id: message.text for message in done["messages"] if isinstance(message, ToolMessage)}
    (asking,) = [message for message in done["messages"] if isinstance(message, AIMessage) and message.tool_calls]
    told = [said[str(call["id"])] for call in asking.tool_calls]
    assert told[:4] == ["noted", "ASK1", "noted", "ASK3"] and told[4].startswith("note did not run.")
    assert sorted(ran) == ["note0", "note2"]


async def test_branches_have_a_budget_each(speaking: Speaking, store: ImageStore, scan: MedicalImage) -> None:
    """An episode is one conversation: each branch begins its own."""
    model, _ = speaking(script([ZOOM, ZOOM, ZOOM]), **ROOM)
    agent = by_hand(model, for_messages(Toolbox(load_tools(["zoom_in"]), wrappers=[Budget(2)]), store))

    class Parts(TypedDict):
        found: Annotated[list[list[str]], add]

    async def branch(state: Any) -> Any:
        done = await agent.ainvoke({"messages": [asked(store, scan)]})
        return {"found": [[each.status for each in results(done["messages"])]]}

    graph: Any = StateGraph(Parts)
    graph.add_node(branch)
    graph.add_conditional_edges(START, lambda _: [Send("branch", {})] * 3, ["branch"])
    graph.add_edge("branch", END)
    done = await graph.compile().ainvoke({"found": []})
    assert done["found"] == [["ok", "ok", "retry"]] * 3


async def test_a_call_that_a_person_refused_costs_nothing(store: ImageStore) -> None:
    """Its message is no result of ours; the others of the turn run as if it were not there."""
    box = Toolbox([echo], wrappers=[Budget(1)])
    (mine,) = for_messages(box, store)
    calls = [{"name": "echo", "args": {"text": text}, "id": text, "type": "tool_call"} for text in "abc"]
    said = AIMessage("", tool_calls=calls)
    refused = ToolMessage("No.", tool_call_id="a", name="echo", status="error")
    done = await ToolNode([mine]).ainvoke(
        {"messages": [said, refused]}, {"configurable": {"__pregel_runtime": _runtime()}}
    )
    assert [message.text for message in done["messages"]][1:] == [
        "said b",
        "echo did not run. echo: got one more call of any tool, expected at most 1 call in an episode; 1 made, 0 left. "
        "Go on without: answer with what you have seen.",
    ]


def _runtime() -> Any:
    from langgraph.runtime import Runtime

    return Runtime()


def test_what_a_conversation_has_spent() -> None:
    def message(name: str, status: Any) -> ToolMessage:
        return tool_message(ToolResult(call=ToolCall(name=name, arguments={}), status=status, text=""), "1")

    told = [message("look", "ok"), message("look", "failed"), message("look", "bug"), message("look", "retry")]
    others = [ToolMessage("x", tool_call_id="2", name="look", artifact={"call": 1}), HumanMessage("look")]
    assert spent_in([*told, *others, message("else", "ok")], ["look"]) == {"look": 3}


def test_the_message_of_a_result() -> None:
    call = ToolCall(name="look", arguments={})
    ok = tool_message(ToolResult(call=call, status="ok", text="Seen.", images=("a" * 64,)), "7")
    assert ok.content == [{"type": "text", "text": "Seen."}, {"type": "image", "file_id": "a" * 64}]
    assert (ok.name, ok.tool_call_id, ok.status) == ("look", "7", "success")
    failed = tool_message(ToolResult(call=call, status="failed", text="Too dark."), "7")
    assert (failed.text, failed.status) == ("look did not run. Too dark.", "error")
    assert ToolResult.model_validate(failed.artifact).text == "Too dark."


@pytest.mark.parametrize("graph", GRAPHS)
async def test_an_image_that_the_policy_cannot_be_shown_fails_its_call(
    speaking: Speaking, store: ImageStore, scan: MedicalImage, graph: Graph
) -> None:
    import numpy as np

    @medical_tool
    def sliver(image: MedicalImage) -> Evidence:
        """Show a sliver."""
        return Evidence("A sliver.", (MedicalImage(np.zeros((1, 900), np.uint8)),))

    call = ToolCall(name="sliver", arguments={"image": 1})
    model, heard = speaking(script([call]), **ROOM)
    with Episode().recording() as episode:
        done = await graph(model, for_messages([sliver], store, why_not_shown=model.why_not_shown)).ainvoke(
            {"messages": [asked(store, scan)]}
        )
    assert done["messages"][-1].text == "cystic" and heard.images == [1, 1]
    (result,) = results(done["messages"])
    assert (result.status, result.images) == ("failed", ())
    assert "900 x 1" in result.text
    assert [each["status"] for each in episode.results] == ["failed"]


@pytest.mark.parametrize("graph", GRAPHS)
async def test_a_fork_repeats_no_tool_and_has_the_same_budget(
    speaking: Speaking, store: ImageStore, scan: MedicalImage, graph: Graph
) -> None:
    ran: list[str] = []

    @tool
    def count(text: str) -> str:
        """Count."""
        ran.append(text)
        return f"{len(ran)}"

    calls = [ToolCall(name="count", arguments={"text": text}) for text in "aabc"]
    model, _ = speaking(script(calls[:3], calls[3:]), **ROOM)
    agent = graph(model, for_messages(Toolbox([count], wrappers=[Budget(3)]), store))
    question = {"messages": [asked(store, scan)]}
    with Episode().recording() as episode:
        first = await agent.ainvoke(question)
    assert sorted(ran) == ["a", "a", "b"]  # and no c, which is beyond the budget
    last = episode.turns[-1]
    with episode.fork(last, 1).recording() as fork:
        second = await agent.ainvoke(question)
    assert len(ran) == 3
    assert [each.status for each in results(second["messages"])] == ["ok", "ok", "ok", "retry"]
    told = [{each.text for each in results(done["messages"])[:3]} for done in (first, second)]
    assert told[1] <= told[0]
    assert [each["status"] for each in fork.results] == [each["status"] for each in episode.results]


def test_the_toolbox_of_tools(store: ImageStore) -> None:
    zoom, measure = load_tools(["zoom_in", "measure_distance"])
    box = Toolbox([zoom, measure], wrappers=[Budget(2, ["zoom_in", "measure_distance"]), only("zoom_in", Budget(1))])
    tools = for_messages(box, store)
    assert toolbox_of(box) is box and toolbox_of(tools) is box and toolbox_of(for_messages(tools, store)) is box
    part = toolbox_of([tools[1], echo])
    assert part.tools == (measure, echo) and (part.wrappers, part.limits) == (box.wrappers, box.limits)
    assert box.tools == (zoom, measure)
    assert toolbox_of([zoom, echo]).tools == (zoom, echo)
    with pytest.raises(ValueError, match="several Toolboxes"):
        toolbox_of([tools[0], *for_messages([measure], store)])


async def test_a_part_of_a_toolbox_keeps_its_budget(store: ImageStore, scan: MedicalImage) -> None:
    box = Toolbox([*load_tools(["zoom_in"]), echo], wrappers=[Budget(1, ["zoom_in", "echo"])])
    part = toolbox_of(for_messages(box, store)[1:])
    done = await part.run([ECHO, ECHO], [], store)
    assert [each.status for each in done] == ["ok", "retry"]
    assert [each.status for each in await part.run([ECHO], [], store, {"zoom_in": 1})] == ["retry"]


def test_which_tools_run_through_the_toolbox(store: ImageStore) -> None:
    """Of a Toolbox all but what is a part of the graph, of a sequence the medical ones."""

    @tool
    def hand_over(text: str, state: Annotated[Any, InjectedState]) -> str:
        """Hand over."""
        return text

    (zoom,) = load_tools(["zoom_in"])
    assert isinstance(zoom, MedicalTool)
    given = for_messages(Toolbox([zoom, echo, hand_over]), store)
    assert [each is own for each, own in zip(given, [zoom, echo, hand_over], strict=True)] == [False, False, True]
    given = for_messages([zoom, echo, hand_over], store)
    assert [each is own for each, own in zip(given, [zoom, echo, hand_over], strict=True)] == [False, True, True]


def test_any_chat_model_reads_the_whole_schema(store: ImageStore) -> None:
    (zoom,) = load_tools(["zoom_in"])
    (mine,) = for_messages([zoom], store)
    described = convert_to_openai_tool(mine)["function"]
    assert described["name"] == "zoom_in" and {"image", "box"} <= described["parameters"]["properties"].keys()
    assert described["parameters"]["required"] == ["image", "box"]
