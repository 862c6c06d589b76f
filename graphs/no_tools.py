"""The baseline: one look at the images, one answer, no tools."""

from collections.abc import Sequence

from langchain_core.tools import BaseTool

from agent.chat_model.base import ImageChatModel
from graphs import reasoning
from graphs.state import Checkpointer, Graph
from tools.toolbox import Toolbox


def factory(
    model: ImageChatModel, tools: Sequence[BaseTool] | Toolbox = (), *, checkpointer: Checkpointer = None
) -> Graph:
    """The reasoning graph that may speak once; `tools` are left alone."""
    del tools
    return reasoning.factory(model, (), turns=1, checkpointer=checkpointer)
