"""A planner, and a reader in a subgraph with a prompt of its own, over a state of their own words."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from agent.chat.images import image_block


class Plan(TypedDict):
    """What is passed on."""

    pictures: list[str]
    wish: str
    plan: str
    verdict: str


def question_to_input(question: Mapping[str, Any]) -> dict[str, Any]:
    """Our question in the graph's words."""
    return {"pictures": question["images"], "wish": question["question"]}


def output_to_answer(output: Mapping[str, Any]) -> dict[str, Any]:
    """The graph's verdict as our answer."""
    return {"answer": output["verdict"]}


def factory(model: Any, tools: Sequence[BaseTool]) -> Any:
    """A plan, then a reading in a subgraph."""
    armed = model.bind_tools(tools).with_config(tags=["reading"])

    async def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await armed.ainvoke(state["messages"])]}

    reading: Any = StateGraph(MessagesState)
    reading.add_node(read)
    reading.add_node("tools", ToolNode(tools))
    reading.add_edge(START, "read")
    reading.add_conditional_edges("read", tools_condition)
    reading.add_edge("tools", "read")
    reader = reading.compile()

    async def plan(state: Plan) -> dict[str, Any]:
        said = await model.ainvoke([SystemMessage("Plan what to look at."), HumanMessage(state["wish"])])
        return {"plan": said.text}

    async def follow(state: Plan) -> dict[str, Any]:
        shown = [*map(image_block, state["pictures"]), {"type": "text", "text": f"{state['plan']}\n{state['wish']}"}]
        done = await reader.ainvoke({"messages": [SystemMessage("Read."), HumanMessage(shown)]})
        return {"verdict": done["messages"][-1].text}

    graph: Any = StateGraph(Plan)
    graph.add_node("planner", plan)
    graph.add_node("reader", follow)
    graph.add_edge(START, "planner")
    graph.add_edge("planner", "reader")
    graph.add_edge("reader", END)
    return graph.compile()
