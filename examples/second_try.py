"""A retry loop that edits its own history: an answer given without a look is taken back, and asked for again.

The rash answer is removed from the conversation and the question gets a hint, so the policy never sees that it failed.
Its state is `messages`, as `create_agent`'s is. Nothing here is about training: see examples/debate.py. Research use
only, not a medical device.
"""

from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from agent.chat.base import ImageChatModel
from graphs.parts.state import Graph

HINT = "Look closer first."
TURNS = 4


def factory(model: ImageChatModel, tools: Sequence[BaseTool]) -> Graph:
    """The graph on a chat model, with tools that read the images of `messages`."""
    armed = model.bind_tools(tools)

    async def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await armed.ainvoke(state["messages"])]}

    def take_back(state: MessagesState) -> dict[str, Any]:
        asked, rash = state["messages"][0], state["messages"][-1]
        content: list[Any] = [*asked.content, {"type": "text", "text": f" {HINT}"}]  # pyright: ignore[reportUnknownMemberType]
        return {"messages": [RemoveMessage(id=str(rash.id)), HumanMessage(content, id=asked.id)]}

    def after(state: MessagesState) -> Literal["look", "take_back", "__end__"]:
        said = state["messages"][-1]
        spoken = sum(isinstance(message, AIMessage) for message in state["messages"])
        if isinstance(said, AIMessage) and said.tool_calls and spoken < TURNS:
            return "look"
        hinted = HINT in state["messages"][0].text
        return "take_back" if spoken == 1 and not hinted else "__end__"

    graph: Any = StateGraph(MessagesState)
    graph.add_node(read)
    graph.add_node(take_back)
    graph.add_node("look", ToolNode(tools))
    graph.add_edge(START, "read")
    graph.add_conditional_edges("read", after, ["look", "take_back", END])
    graph.add_edge("look", "read")
    graph.add_edge("take_back", "read")
    return graph.compile()
