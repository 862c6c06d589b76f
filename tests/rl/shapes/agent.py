"""LangChain's own agent, with the run's tools."""

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import BaseTool


def factory(model: Any, tools: Sequence[BaseTool]) -> Any:
    """The agent, whose state is `messages`."""
    return create_agent(model, list(tools))
