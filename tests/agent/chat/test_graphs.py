"""Graphs that know nothing of training run on the chat model and leave the right rows.

Every row's expected turns are written out by hand; the policy is a script that answers what it reads.
"""

import asyncio
import warnings
from collections.abc import Callable
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, SystemMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, create_react_agent, tools_condition
from langgraph.types import Command, Send, interrupt

from agent.chat import Episode, PolicyChatModel, at_nodes
from agent.chat.tools import for_messages
from agent.encoder import Encoder
from tests.agent.chat.conftest import Heard
from tests.answering import LOOK, answer
from tests.ledgers import turns_in
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools

Speaking = Callable[..., tuple[PolicyChatModel, Heard]]


def trained(episode: Episode, encoder: Encoder, *nodes: str) -> list[list[str]]:
    """Per row the turns that train."""
    rows = episode.rows(at_nodes(*nodes)) if nodes else episode.rows()
    return turns_in([row.ledger for row in rows], encoder)


def asked(store: ImageStore, scan: MedicalImage) -> HumanMessage:
    return HumanMessage([{"type": "image", "file_id": store.put(scan)}, {"type": "text", "text": "What is it?"}])


def looking(turn: int, _last: str) -> str:
    return LOOK if turn == 0 else answer("cystic")


def prebuilt(name: str) -> Callable[..., Any]:
    if name == "create_agent":
        agents = pytest.importorskip("langchain.agents", reason="pip install langchain==1.4.7")
        return agents.create_agent
    return create_react_agent


@pytest.mark.parametrize("name", ["create_agent", "create_react_agent"])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_prebuilt_agents_with_medical_tools(
    speaking: Speaking, encoder: Encoder, store: ImageStore, scan: MedicalImage, name: str, asynchronous: bool
) -> None:
    model, heard = speaking(looking)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agent = prebuilt(name)(model, for_messages(load_tools(["zoom_in"]), store))
    state = {"messages": [asked(store, scan)]}
    with Episode().recording() as episode:
        done = asyncio.run(agent.ainvoke(state)) if asynchronous else agent.invoke(state)
    assert done["messages"][-1].text == "cystic"
    assert trained(episode, encoder) == [[LOOK, answer("cystic")]]
    assert heard.images == [1, 2]
    (row,) = episode.rows()
    view = done["messages"][2].artifact["images"][0]
    assert [placed.image for placed in row.ledger.images] == [store.put(scan), view]
    assert store.get(view).origin().source == scan.id
    assert "- zoom_in(image: int, box: [x1, y1, x2, y2]" in heard.texts[0]
    assert len(str(done["messages"][2])) < 4000  # an id, not pixels


class Tiles(TypedDict):
    tiles: list[str]
    found: Annotated[list[str], add]
    answer: str


@pytest.mark.parametrize("asynchronous", [True, False])
def test_branches_by_send(speaking: Speaking, encoder: Encoder, asynchronous: bool) -> None:
    """A map over tiles and a reduction: a row each, whatever order they ran in."""
    model, _ = speaking(lambda _, last: answer(last.upper()))

    def read(tile: dict[str, str]) -> dict[str, Any]:
        return {"found": [model.invoke(tile["tile"]).text]}

    async def read_async(tile: dict[str, str]) -> dict[str, Any]:
        return {"found": [(await model.ainvoke(tile["tile"])).text]}

    def reduce(state: Tiles) -> dict[str, Any]:
        return {"answer": model.invoke(" ".join(sorted(state["found"]))).text}

    graph: Any = StateGraph(Tiles)
    graph.add_node("read", read_async if asynchronous else read)
    graph.add_node(reduce)
    graph.add_conditional_edges(
        START, lambda state: [Send("read", {"tile": tile}) for tile in state["tiles"]], ["read"]
    )
    graph.add_edge("read", "reduce")
    graph.add_edge("reduce", END)
    compiled = graph.compile()
    with Episode().recording() as episode:
        state = {"tiles": ["a", "b", "c"]}
        done = asyncio.run(compiled.ainvoke(state)) if asynchronous else compiled.invoke(state)
    assert done["answer"] == "A B C"
    assert sorted(trained(episode, encoder)) == [[answer("A B C")], [answer("A")], [answer("B")], [answer("C")]]
    assert trained(episode, encoder, "reduce") == [[answer("A B C")]]


def test_a_planner_and_a_reader_in_a_subgraph(speaking: Speaking, encoder: Encoder) -> None:
    model, _ = speaking(lambda turn, last: answer(f"{turn} {last}"))

    def plan(state: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage(model.invoke([SystemMessage("Plan."), *state["messages"]]).text)]}

    def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke([SystemMessage("Read."), *state["messages"]])]}

    inner: Any = StateGraph(MessagesState)
    inner.add_node("first_look", read)
    inner.add_node("second_look", read)
    inner.add_edge(START, "first_look")
    inner.add_edge("first_look", "second_look")
    outer: Any = StateGraph(MessagesState)
    outer.add_node(plan)
    outer.add_node("reader", inner.compile())
    outer.add_edge(START, "plan")
    outer.add_edge("plan", "reader")
    with Episode().recording() as episode:
        outer.compile().invoke({"messages": [HumanMessage("x")]})
    assert trained(episode, encoder) == [[answer("0 x")], [answer("0 x\n0 x"), answer("1 ")]]
    assert trained(episode, encoder, "reader") == [[answer("0 x\n0 x"), answer("1 ")]]
    calls = [call for row in episode.rows() for call in row.calls]
    assert [(call.node, call.namespace) for call in calls] == [
        ("plan", "plan"),
        ("first_look", "reader|first_look"),
        ("second_look", "reader|second_look"),
    ]


def with_a_person(model: PolicyChatModel, saver: Any) -> Any:
    """A graph in which a person must agree before the second turn."""

    def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    def person(_: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage(interrupt("Go on?"))]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("first", read)
    graph.add_node(person)
    graph.add_node("second", read)
    for before, after in ((START, "first"), ("first", "person"), ("person", "second"), ("second", END)):
        graph.add_edge(before, after)
    return graph.compile(checkpointer=saver)


def test_an_interrupted_thread_goes_on_from_its_checkpoint_in_one_row(
    speaking: Speaking, encoder: Encoder, tmp_path: Path
) -> None:
    model, _ = speaking(lambda turn, last: answer(f"{turn} {last}"))
    config = {"configurable": {"thread_id": "1"}}
    with Episode().recording() as episode:
        with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
            stopped = with_a_person(model, saver).invoke({"messages": [HumanMessage("x")]}, config)
            assert stopped["__interrupt__"][0].value == "Go on?"
        with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
            done = with_a_person(model, saver).invoke(Command(resume="yes"), config)
    assert done["messages"][-1].text == "1 yes"
    assert trained(episode, encoder) == [[answer("0 x"), answer("1 yes")]]


def test_a_fork_of_a_checkpoint_shares_its_prefix(speaking: Speaking, encoder: Encoder) -> None:
    model, _ = speaking(lambda turn, last: answer(f"{turn} {last}"))
    graph = with_a_person(model, InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    with Episode().recording() as episode:
        graph.invoke({"messages": [HumanMessage("x")]}, config)
        graph.invoke(Command(resume="yes"), config)
        (before,) = [past for past in graph.get_state_history(config) if past.next == ("second",)]
        forked = graph.update_state(before.config, {"messages": [HumanMessage("or no")]})
        graph.invoke(None, forked)
        graph.invoke(None, before.config)  # a replay samples again
    assert trained(episode, encoder) == [
        [answer("0 x"), answer("1 yes")],
        [answer("1 yes\nor no")],
        [answer("1 yes")],
    ]


def test_a_retry_that_edits_its_own_history(speaking: Speaking, encoder: Encoder) -> None:
    """The first turn is taken back and asked for again with a hint: two rows, each turn trained once."""
    model, _ = speaking(lambda turn, last: answer("good" if "hint" in last else "bad"))

    def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    def take_back(state: MessagesState) -> dict[str, Any]:
        question, bad = state["messages"]
        hinted = HumanMessage("x (hint)", id=question.id)
        return {"messages": [RemoveMessage(id=str(bad.id)), hinted]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node(read)
    graph.add_node(take_back)
    graph.add_edge(START, "read")
    graph.add_conditional_edges(
        "read", lambda state: END if state["messages"][-1].text == "good" else "take_back", [END, "take_back"]
    )
    graph.add_edge("take_back", "read")
    with Episode().recording() as episode:
        done = graph.compile().invoke({"messages": [HumanMessage("x")]})
    assert [message.text for message in done["messages"]] == ["x (hint)", "good"]
    assert trained(episode, encoder) == [[answer("bad")], [answer("good")]]


def test_parallel_calls_of_one_turn(
    speaking: Speaking, encoder: Encoder, store: ImageStore, scan: MedicalImage
) -> None:
    """Both results become one user turn; the second call names an image that the first did not make."""
    call = LOOK.removeprefix("<think>Closer.</think>")
    both = f"<think>Both.</think>{call}{call.replace('[0, 0, 499, 499]', '[500, 500, 999, 999]')}"
    model, heard = speaking(lambda turn, _: both if turn == 0 else answer("cystic"))
    tools = for_messages(load_tools(["zoom_in"]), store)

    def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.bind_tools(tools).invoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node(read)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "read")
    graph.add_conditional_edges("read", tools_condition)
    graph.add_edge("tools", "read")
    with Episode().recording() as episode:
        done = graph.compile().invoke({"messages": [asked(store, scan)]})
    said = done["messages"][1]
    assert isinstance(said, AIMessage) and len(said.tool_calls) == 2
    assert heard.images == [1, 3]
    assert "Image 2: " in heard.texts[1] and "Image 3: " in heard.texts[1]
    assert trained(episode, encoder) == [[both, answer("cystic")]]
