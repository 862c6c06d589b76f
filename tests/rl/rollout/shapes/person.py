"""A person must let the answer pass, and may ask for another one; compiled without a checkpointer, as servers want."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt


def answer_interrupt(value: Mapping[str, Any]) -> str:
    """The person in training asks once for another look."""
    return "Look again." if value["time"] == 1 else "fine"


def factory(model: Any, tools: Sequence[BaseTool]) -> Any:
    """Answer, pause, answer again where the person is not content."""
    del tools

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def person(state: MessagesState) -> Command[Literal["answer", "__end__"]]:
        time = len(state["messages"]) // 2
        said = interrupt({"proposed": state["messages"][-1].text, "time": time})
        if said == "fine":
            return Command(goto=END)
        return Command(goto="answer", update={"messages": [HumanMessage(said)]})

    graph: Any = StateGraph(MessagesState)
    graph.add_node(answer)
    graph.add_node(person)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", "person")
    return graph.compile()
