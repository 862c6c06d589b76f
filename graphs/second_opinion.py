"""Two readers look independently; a third sees both chains of evidence and decides.

The readers run side by side and see nothing of each other. The adjudicator is shown the images, and for each reader
what it looked at, what it found and what it answered.
"""

from collections.abc import Sequence
from operator import add
from typing import Annotated, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from agent.answer import Answered
from agent.chat.images import Pictures
from agent.chat.provider.model import with_images
from agent.limits import Limits
from agent.question import Question, asked
from graphs.parts.findings import Finding, found, told_of
from graphs.parts.state import Checkpointer, Graph, Update, ended, shown
from graphs.reasoning import reader
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

READERS = {"first": "You are the first reader.", "second": "You are the second reader: look for what another may miss."}
ADJUDICATE = "Two readers have looked at these images. Weigh what each of them saw, then answer."


class Opinions(Answered):
    """The output, and both readings."""

    readings: Annotated[list[Finding], add]


class Reader(Question):
    """What one reader is given."""

    reader: str


def factory(
    model: BaseChatModel,
    tools: Sequence[BaseTool] | Toolbox,
    *,
    store: ImageStore | None = None,
    turns: int = Limits.turns,
    checkpointer: Checkpointer = None,
) -> Graph:
    """The graph on a chat model."""
    model = with_images(model, store)
    pictures = Pictures(model.image_store)
    reading = reader(model, tools, turns)
    deciding = reader(model, (), turns=1)

    def both(state: Question) -> list[Send]:
        return [Send("opinion", Reader(**asked(state), reader=name)) for name in READERS]

    async def opinion(state: Reader) -> Update:
        opening = [SystemMessage(READERS[state["reader"]]), shown(state["images"], state["question"])]
        done = await reading(asked(state), opening)
        return {"readings": [found(state["reader"], done)]}

    async def adjudicate(state: Opinions) -> Answered:
        readings = sorted(state["readings"], key=lambda each: list(READERS).index(each["reader"]))
        told = told_of(readings, state["images"], state["question"])
        done = await deciding(asked(state), [SystemMessage(ADJUDICATE), told])
        return ended(state, done["messages"], pictures, done["outcome"], readings)

    graph: Any = StateGraph(Opinions, input_schema=Question)
    graph.add_node(opinion)
    graph.add_node(adjudicate)
    graph.add_conditional_edges(START, both, ["opinion"])
    graph.add_edge("opinion", "adjudicate")
    graph.add_edge("adjudicate", END)
    return graph.compile(checkpointer=checkpointer)
