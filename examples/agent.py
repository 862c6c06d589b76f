"""LangChain's own agent, with the run's tools: nothing else is needed.

Its state is `messages`. Needs `langchain`. Nothing here is about training: see examples/debate.py. Research use only,
not a medical device.
"""

# create_agent is generic in more than it names
# pyright: reportUnknownVariableType=false

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import BaseTool

from agent.chat.base import ImageChatModel


def factory(model: ImageChatModel, tools: Sequence[BaseTool]) -> Any:
    """The agent on a chat model, with tools that read the images of `messages`."""
    return create_agent(model, list(tools))
