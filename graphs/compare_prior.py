"""Two studies of one patient: each is read by itself, then they are compared.

The first image is the current study, the second the earlier one. Both readings run side by side; the comparison is
shown both studies, what was seen in each, and the question.
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
from tools.errors import ImageError

STUDIES = {"current": "This is the current study.", "earlier": "This is an earlier study of the same patient."}
COMPARE = (
    "The first image is the current study, the second an earlier one of the same patient. Compare them, then answer."
)


class Compared(Answered):
    """The output, and the reading of each study."""

    readings: Annotated[list[Finding], add]


class Study(Question):
    """One study to read."""

    study: str


def factory(
    model: PolicyChatModel, tools: Sequence[BaseTool], *, checkpointer: Checkpointer = None, turns: int = TURNS
) -> Graph:
    """The graph on a chat model. Asked with other than two images it raises ImageError."""
    reading = reader(model, tools, turns)

    def each_study(state: Question) -> list[Send]:
        images, question = asked(state)["images"], asked(state)["question"]
        if len(images) != len(STUDIES):
            raise ImageError(f"Got {len(images)} images, expected two: the current study, then the earlier one.")
        for image in images:
            model.store.path(image)  # both are there before either is read
        return [
            Send("study", Study(images=[image], question=question, study=name))
            for name, image in zip(STUDIES, images, strict=True)
        ]

    async def study(state: Study) -> Update:
        opening = [SystemMessage(STUDIES[state["study"]]), shown(state["images"], state["question"])]
        done = await reading(opening)
        return {"readings": [found(state["study"], done["messages"], done["calls"])]}

    async def compare(state: Compared) -> Answered:
        readings = sorted(state["readings"], key=lambda each: list(STUDIES).index(each["reader"]))
        content: list[Any] = [image_block(image) for image in state["images"]]
        seen = list(state["images"])
        for each in readings:
            content += blocks(each)
            seen += each["images"]
        content.append({"type": "text", "text": state["question"]})
        messages: list[AnyMessage] = [SystemMessage(COMPARE), shown([], "").model_copy(update={"content": content})]
        messages += await ask(model, messages)
        calls = [call for each in readings for call in each["calls"]]
        return with_readings(ended(state, messages, calls, seen, model.store), readings)

    graph: Any = StateGraph(Compared, input_schema=Question)
    graph.add_node(study)
    graph.add_node(compare)
    graph.add_conditional_edges(START, each_study, ["study"])
    graph.add_edge("study", "compare")
    graph.add_edge("compare", END)
    return graph.compile(checkpointer=checkpointer)
