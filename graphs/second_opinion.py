"""Two readers look independently; a third sees both chains of evidence and decides.

The readers run side by side and see nothing of each other. The adjudicator is shown the images, and for each reader
what it looked at, what it found and what it answered.
"""

from collections.abc import Sequence
from operator import add
from typing import Annotated, Any

from langchain_core.messages import AnyMessage, SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from agent.answer import Answered
from agent.chat_model.model import PolicyChatModel
from agent.chat_model.pictures import image_block
from agent.question import Question, asked
from graphs.asking import ask
from graphs.findings import Finding, blocks, found
from graphs.reader import TURNS, reader
from graphs.reasoning import Checkpointer
from graphs.state import Graph, Update, ended, shown, with_readings

READERS = {"first": "You are the first reader.", "second": "You are the second reader: look for what another may miss."}
ADJUDICATE = "Two readers have looked at these images. Weigh what each of them saw, then answer."


class Opinions(Answered):
    """The output, and both readings."""

    readings: Annotated[list[Finding], add]


class Reader(Question):
    """What one reader is given."""

    reader: str


def factory(
    model: PolicyChatModel, tools: Sequence[BaseTool], *, checkpointer: Checkpointer = None, turns: int = TURNS
) -> Graph:
    """The graph on a chat model."""
    reading = reader(model, tools, turns)

    def both(state: Question) -> list[Send]:
        return [Send("opinion", Reader(**asked(state), reader=name)) for name in READERS]

    async def opinion(state: Reader) -> Update:
        opening = [SystemMessage(READERS[state["reader"]]), shown(state["images"], state["question"])]
        done = await reading(opening)
        return {"readings": [found(state["reader"], done["messages"], done["calls"])]}

    async def adjudicate(state: Opinions) -> Answered:
        readings = sorted(state["readings"], key=lambda each: list(READERS).index(each["reader"]))
        seen, shown_blocks = list(state["images"]), [image_block(image) for image in state["images"]]
        for each in readings:
            shown_blocks += blocks(each)
            seen += each["images"]
        question = shown([], state["question"])
        content: list[Any] = [*shown_blocks, *question.content]  # pyright: ignore[reportUnknownMemberType]
        messages: list[AnyMessage] = [SystemMessage(ADJUDICATE), question.model_copy(update={"content": content})]
        messages += await ask(model, messages)
        calls = [call for each in readings for call in each["calls"]]
        return with_readings(ended(state, messages, calls, seen, model.store), readings)

    graph: Any = StateGraph(Opinions, input_schema=Question)
    graph.add_node(opinion)
    graph.add_node(adjudicate)
    graph.add_conditional_edges(START, both, ["opinion"])
    graph.add_edge("opinion", "adjudicate")
    graph.add_edge("adjudicate", END)
    return graph.compile(checkpointer=checkpointer)
