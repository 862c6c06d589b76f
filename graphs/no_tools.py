"""The baseline: one look at the images, one answer, no tools."""

from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool

from graphs import reasoning
from graphs.parts.state import Checkpointer, Graph
from tools.images.store import ImageStore
from tools.toolbox import Toolbox


def factory(
    model: BaseChatModel,
    tools: Sequence[BaseTool] | Toolbox = (),
    *,
    store: ImageStore | None = None,
    checkpointer: Checkpointer = None,
) -> Graph:
    """The reasoning graph that may speak once; `tools` are left alone."""
    del tools
    return reasoning.factory(model, (), store=store, turns=1, checkpointer=checkpointer)
