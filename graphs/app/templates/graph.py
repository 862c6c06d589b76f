"""What this graph does with a question, and why; its first line is what `python -m graphs list` says."""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph

from agent.answer import Answered
from agent.chat.provider.model import with_images
from agent.limits import Limits
from agent.question import Question, asked
from graphs.parts.state import Checkpointer, Graph, Update, answered, note
from graphs.reasoning import reader
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

DOUBT = "Look once more, at the part that speaks most against your answer; then answer for good."


def factory(
    model: BaseChatModel,
    tools: Sequence[BaseTool] | Toolbox,
    *,
    store: ImageStore | None = None,
    turns: int = Limits.turns,
    checkpointer: Checkpointer = None,
) -> Graph:
    """The graph on a chat model."""
    read = reader(with_images(model, store), tools, turns)

    async def answer(state: Question) -> Update:
        question = asked(state)
        first = await read(question)
        return {**answered(await read(question, [*first["messages"], note(DOUBT)]))}

    graph: Any = StateGraph(Answered, input_schema=Question)
    graph.add_node(answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer)
