"""One reader: a conversation in which the policy looks with tools until it answers. Other graphs are made of it.

`read -> look -> read ...`: calls are run, all of a turn at once; a turn that could not be read is answered with what
was wrong; any other turn ends the reading, and so does a full context, behind the last message that was shown.
"""

from collections.abc import Awaitable, Callable, Sequence
from operator import add
from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from agent.chat_model.guiding import described
from agent.chat_model.model import PolicyChatModel
from agent.chat_model.pictures import Pictures
from agent.chat_model.reply import FAULT
from agent.chat_model.tools import images_shown, tool_message
from agent.prompt import correction
from agent.turn import showable
from graphs.asking import ask
from graphs.progress import looked
from tools.calls import ToolCall
from tools.toolbox import Toolbox

TURNS = 6
"""Most turns of one reading."""


class Reading(TypedDict):
    """A reader's conversation."""

    messages: Annotated[list[AnyMessage], add_messages]
    calls: Annotated[list[dict[str, Any]], add]
    most: int
    """Turns that the conversation may have in all."""


Read = Callable[[Sequence[AnyMessage]], Awaitable[Reading]]
"""From the messages that a reading begins with (a question, or a conversation that goes on) to its end."""


def reader(model: PolicyChatModel, tools: Sequence[BaseTool], turns: int = TURNS) -> Read:
    """A reader with tools, as a graph of its own that a node may run."""
    toolbox, shown_tools = Toolbox(tools), [described(tool) for tool in tools]

    async def read(state: Reading) -> dict[str, Any]:
        return {"messages": await ask(model, state["messages"], tools=shown_tools)}

    async def look(state: Reading) -> dict[str, Any]:
        said = _last(state)
        images = images_shown(state["messages"], Pictures(model.store))
        calls = [ToolCall(name=call["name"], arguments=call["args"]) for call in said.tool_calls]
        run = await toolbox.run(calls, images, model.store)
        results = [showable(result, model.family.encoder, model.store) for result in run]
        named = [str(call["id"]) for call in said.tool_calls]
        answers = [tool_message(result, each) for result, each in zip(results, named, strict=True)]
        done = [result.model_dump(mode="json") for result in results]
        looked(done)
        return {"messages": answers, "calls": done}

    async def correct(state: Reading) -> dict[str, Any]:
        return {"messages": [HumanMessage(correction(_last(state).response_metadata[FAULT]))]}

    async def after_read(state: Reading) -> str:
        said = state["messages"][-1]
        if not isinstance(said, AIMessage) or spoken(state["messages"]) >= state["most"]:
            return END
        if FAULT in said.response_metadata:
            return "correct"
        return "look" if said.tool_calls else END

    graph: Any = StateGraph(Reading)
    for node in (read, look, correct):
        graph.add_node(node)
    graph.add_edge(START, "read")
    graph.add_conditional_edges("read", after_read, ["look", "correct", END])
    graph.add_edge("look", "read")
    graph.add_edge("correct", "read")
    compiled: Any = graph.compile()

    async def run(opening: Sequence[AnyMessage]) -> Reading:
        begun = Reading(messages=list(opening), calls=[], most=spoken(opening) + turns)
        return await compiled.ainvoke(begun, {"recursion_limit": 2 * turns + 4})

    return run


def spoken(messages: Sequence[AnyMessage]) -> int:
    """How often the policy has spoken."""
    return sum(isinstance(message, AIMessage) for message in messages)


def _last(state: Reading) -> AIMessage:
    message = state["messages"][-1]
    assert isinstance(message, AIMessage)
    return message
