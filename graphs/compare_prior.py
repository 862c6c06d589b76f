"""Two studies of one patient: each is read by itself, then they are compared.

The first image is the current study, the second the earlier one. Both readings run side by side; the comparison is
shown both studies, what was seen in each, and the question.
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
from tools.errors import ImageError
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

STUDIES = {"current": "This is the current study.", "earlier": "This is an earlier study of the same patient."}
COMPARE = (
    "The first image is the current study, the second an earlier one of the same patient. Compare them, then answer."
)


class Compared(Answer):
    """The output, and the reading of each study."""

    readings: Annotated[list[Finding], add]


class Study(Question):
    """One study to read."""

    study: str


def factory(
    model: BaseChatModel,
    tools: Sequence[BaseTool] | Toolbox,
    *,
    store: ImageStore | None = None,
    turns: int = Limits.turns,
    checkpointer: Checkpointer = None,
) -> Graph:
    """The graph on a chat model. Asked with other than two images it raises ImageError."""
    model = with_images(model, store)
    pictures = MessageImages(model.image_store)
    reading = reader(model, tools, turns)
    deciding = reader(model, (), turns=1)

    def each_study(state: Question) -> list[Send]:
        images, question = question_of(state)["images"], question_of(state)["question"]
        if len(images) != len(STUDIES):
            raise ImageError(f"Got {len(images)} images, expected two: the current study, then the earlier one.")
        for image in images:
            model.image_store.path(image)  # both are there before either is read
        return [
            Send("study", Study(images=[image], question=question, study=name))
            for name, image in zip(STUDIES, images, strict=True)
        ]

    async def study(state: Study) -> Update:
        opening = [SystemMessage(STUDIES[state["study"]]), question_message(state["images"], state["question"])]
        done = await reading(state, opening)
        return {"readings": [finding_of(state["study"], done)]}

    async def compare(state: Compared) -> Answer:
        readings = sorted(state["readings"], key=lambda each: list(STUDIES).index(each["reader"]))
        told = findings_message(readings, state["images"], state["question"])
        done = await deciding(question_of(state), [SystemMessage(COMPARE), told])
        return answer_of(state, done["messages"], pictures, done["outcome"], readings)

    graph: Any = StateGraph(Compared, input_schema=Question)
    graph.add_node(study)
    graph.add_node(compare)
    graph.add_conditional_edges(START, each_study, ["study"])
    graph.add_edge("study", "compare")
    graph.add_edge("compare", END)
    return graph.compile(checkpointer=checkpointer)
