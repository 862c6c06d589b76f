"""LangChain's agent with its human-in-the-loop middleware: a person approves each call."""

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver


def factory(model: Any, tools: Sequence[BaseTool]) -> Any:
    """The agent; nothing says what a person answers."""
    asks = HumanInTheLoopMiddleware(interrupt_on={tool.name: True for tool in tools})
    return create_agent(model, list(tools), middleware=[asks], checkpointer=InMemorySaver())
