"""A fan-out with a reducer and a critic: readers look at one aspect each, a writer answers by what they find, and a
critic may send the panel back once, with a doubt that another reader then looks into.

Needs `langchain`. Nothing here is about training: see examples/debate.py. Research use only, not a medical device.
"""

# create_agent is generic in more than it names
# pyright: reportUnknownVariableType=false

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from langchain.agents import create_agent
from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send

from agent.chat.base import ImageChatModel
from agent.question import Question
from graphs.parts.state import Graph, question_message

ASPECTS = ("Where is what is asked about?", "What does it look like?", "How large is it?")
READ = "You are one reader of a panel. Keep to your aspect."
WRITE = "You write for a panel. Answer by its findings."
CRITICISE = "You are the critic. Say 'good' if the answer follows from the findings, else what is in doubt."


def together(known: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """The reducer: findings by aspect."""
    return {**known, **new}


class Aspect(Question):
    """What one reader is given."""

    aspect: str


class Panel(Question):
    """What was found, by aspect, and what is made of it."""

    findings: Annotated[dict[str, str], together]
    doubt: str
    answer: str


def factory(model: ImageChatModel, tools: Sequence[BaseTool]) -> Graph:
    """The graph on a chat model; every reader has the tools."""
    reader: Any = create_agent(model, list(tools), system_prompt=READ)

    def each_aspect(state: Question) -> list[Send]:
        return [Send("read", Aspect(**state, aspect=aspect)) for aspect in ASPECTS]

    async def read(state: Aspect) -> dict[str, Any]:
        asked = question_message(state["images"], f"{state['aspect']}\n{state['question']}")
        done = await reader.ainvoke({"messages": [asked]})
        return {"findings": {state["aspect"]: done["messages"][-1].text.strip()}}

    async def write(state: Panel) -> dict[str, Any]:
        said = await model.ainvoke([SystemMessage(WRITE), question_message(state["images"], _told(state))])
        return {"answer": said.text.strip()}

    async def critic(state: Panel) -> Command[Literal["read", "__end__"]]:
        if "doubt" in state:
            return Command()
        answered = f"{_told(state)}\nThe answer: {state['answer']}"
        said = await model.ainvoke([SystemMessage(CRITICISE), question_message(state["images"], answered)])
        doubt = said.text.strip()
        if doubt.lower().startswith("good"):
            return Command()
        again = Aspect(images=state["images"], question=state["question"], aspect=doubt)
        return Command(goto=Send("read", again), update={"doubt": doubt})

    graph: Any = StateGraph(Panel, input_schema=Question)
    for node in (read, write, critic):
        graph.add_node(node)
    graph.add_conditional_edges(START, each_aspect, ["read"])
    graph.add_edge("read", "write")
    graph.add_edge("write", "critic")
    return graph.compile()


def _told(state: Panel) -> str:
    findings = "\n".join(f"{aspect} {found}" for aspect, found in sorted(state["findings"].items()))
    return f"{findings}\n{state['question']}"
