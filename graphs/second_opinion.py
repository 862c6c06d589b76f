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

from agent.answer import Answer
from agent.chat.images import MessageImages
from agent.chat.provider.model import with_images
from agent.limits import Limits
from agent.question import Question, question_of
from graphs.parts.findings import Finding, finding_of, findings_message
from graphs.parts.state import Checkpointer, Graph, Update, answer_of, question_message
from graphs.reasoning import reader
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

READERS = {"first": "You are the first reader.", "second": "You are the second reader: look for what another may miss."}
ADJUDICATE = "Two readers have looked at these images. Weigh what each of them saw, then answer."


class Opinions(Answer):
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
    pictures = MessageImages(model.image_store)
    reading = reader(model, tools, turns)
    deciding = reader(model, (), turns=1)

    def both(state: Question) -> list[Send]:
        return [Send("opinion", Reader(**question_of(state), reader=name)) for name in READERS]

    async def opinion(state: Reader) -> Update:
        opening = [SystemMessage(READERS[state["reader"]]), question_message(state["images"], state["question"])]
        done = await reading(question_of(state), opening)
        return {"readings": [finding_of(state["reader"], done)]}

    async def adjudicate(state: Opinions) -> Answer:
        readings = sorted(state["readings"], key=lambda each: list(READERS).index(each["reader"]))
        told = findings_message(readings, state["images"], state["question"])
        done = await deciding(question_of(state), [SystemMessage(ADJUDICATE), told])
        return answer_of(state, done["messages"], pictures, done["outcome"], readings)

    graph: Any = StateGraph(Opinions, input_schema=Question)
    graph.add_node(opinion)
    graph.add_node(adjudicate)
    graph.add_conditional_edges(START, both, ["opinion"])
    graph.add_edge("opinion", "adjudicate")
    graph.add_edge("adjudicate", END)
    return graph.compile(checkpointer=checkpointer)
