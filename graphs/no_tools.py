"""The baseline: one look at the images, one answer, no tools."""

from collections.abc import Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph

from agent.answer import Answered
from agent.chat_model.model import PolicyChatModel
from agent.question import Question, asked
from graphs.asking import ask
from graphs.reasoning import Checkpointer
from graphs.state import Graph, ended, shown


def factory(model: PolicyChatModel, tools: Sequence[BaseTool] = (), *, checkpointer: Checkpointer = None) -> Graph:
    """The graph on a chat model; `tools` are left alone."""
    del tools

    async def answer(state: Question) -> Answered:
        question = asked(state)
        opening = shown(question["images"], question["question"])
        return ended(question, [opening, *await ask(model, [opening])], [], question["images"], model.store)

    graph: Any = StateGraph(Answered, input_schema=Question)
    graph.add_node(answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer)
