"""What this graph does with a question, and why; its first line is what `python -m graphs list` says."""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph

from agent.answer import Answer
from agent.chat.provider.model import with_images
from agent.limits import Limits
from agent.question import Question, question_of
from graphs.parts.state import Checkpointer, Graph, Update, correction_message, output_of
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
        question = question_of(state)
        first = await read(question)
        return {**output_of(await read(question, [*first["messages"], correction_message(DOUBT)]))}

    graph: Any = StateGraph(Answer, input_schema=Question)
    graph.add_node(answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer)
