"""A supervisor with two sub-agents: it hands the question over by a call, and reads what they report.

One sub-agent looks, the other measures; each is LangChain's agent with some of the tools and a conversation of its
own. The state is `messages`. Needs `langchain`. Nothing here is about training: see examples/debate.py. Research use
only, not a medical device.
"""

# create_agent is generic in more than it names
# pyright: reportUnknownVariableType=false

from collections.abc import Callable, Sequence
from typing import Any, Literal

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, ToolRuntime
from langgraph.types import Command

from agent.chat.base import ImageChatModel

SUPERVISE = "Two readers help you. Hand the question over to one, then answer by what is reported."
READERS = {"looker": "You look closer and say what you see.", "measurer": "You measure and say how large it is."}


def factory(model: ImageChatModel, tools: Sequence[BaseTool]) -> Any:
    """The graph on a chat model; tools named measure... are the measurer's, all others the looker's."""
    hands = [hand_over(name) for name in READERS]
    choosing = model.bind_tools(hands, parallel_tool_calls=False)

    async def supervisor(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await choosing.ainvoke([SystemMessage(SUPERVISE), *state["messages"]])]}

    def reader(name: str) -> Callable[[MessagesState], Any]:
        own = [each for each in tools if each.name.startswith("measure") == (name == "measurer")]
        agent: Any = create_agent(model, own, system_prompt=READERS[name])

        async def read(state: MessagesState) -> dict[str, Any]:
            done = await agent.ainvoke({"messages": state["messages"][:1]})
            return {"messages": [HumanMessage(f"The {name} reports: {done['messages'][-1].text}", name=name)]}

        return read

    def after_supervisor(state: MessagesState) -> Literal["hand_over", "__end__"]:
        said = state["messages"][-1]
        return "hand_over" if isinstance(said, AIMessage) and said.tool_calls else "__end__"

    def after_hand_over(state: MessagesState) -> list[str]:
        """Back where nobody of that name is there; else a reader has it already."""
        told = state["messages"][-1]
        return ["supervisor"] if isinstance(told, ToolMessage) and told.status == "error" else []

    graph: Any = StateGraph(MessagesState)
    graph.add_node(supervisor)
    graph.add_node("hand_over", ToolNode(hands), destinations=tuple(READERS))
    graph.add_edge(START, "supervisor")
    graph.add_conditional_edges("supervisor", after_supervisor)
    graph.add_conditional_edges("hand_over", after_hand_over, ["supervisor"])
    for name in READERS:
        graph.add_node(name, reader(name))
        graph.add_edge(name, "supervisor")
    return graph.compile()


def hand_over(name: str) -> BaseTool:
    """A tool that goes to the node `name`."""

    @tool(f"ask_{name}", description=f"Hand the question over to the {name}.")
    def ask(runtime: ToolRuntime[None, Any]) -> Command[Any]:
        told = ToolMessage(f"The {name} has the question.", tool_call_id=runtime.tool_call_id)
        return Command(goto=name, update={"messages": [told]})

    return ask
