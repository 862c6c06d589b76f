"""The baseline: one look at the images, one answer, no tools."""

from collections.abc import Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph

from agent.chat_model.model import PolicyChatModel
from agent.encoder import Encoder
from agent.policies.policy import Policy, Sampling
from agent.turn import Limits, Question
from graphs.asking import ask
from graphs.model import chat_model
from graphs.reasoning import Checkpointer
from graphs.state import Answered, Graph, ended, shown
from tools.images.store import ImageStore


def factory(model: PolicyChatModel, tools: Sequence[BaseTool] = (), *, checkpointer: Checkpointer = None) -> Graph:
    """The graph on a chat model; `tools` are left alone."""
    del tools

    async def answer(state: Question) -> Answered:
        asked = shown(state["images"], state["question"])
        return ended(state, [asked, *await ask(model, [asked])], [], state["images"], model.store)

    graph: Any = StateGraph(Answered, input_schema=Question)
    graph.add_node(answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer)


def build(
    policy: Policy,
    tools: Sequence[BaseTool],
    *,
    encoder: Encoder,
    store: ImageStore,
    limits: Limits | None = None,
    sampling: Sampling | None = None,
    checkpointer: Checkpointer = None,
) -> Graph:
    """The graph for a policy; see graphs/reasoning.py."""
    return factory(chat_model(policy, encoder, store, limits, sampling), tools, checkpointer=checkpointer)
