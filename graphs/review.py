"""A person looks the answer over: the policy answers, the graph stops, the person accepts or says what to look at.

It stops by LangGraph's `interrupt`, so it goes on only with a checkpointer, and may wait for days. What the person is
shown: `{"answer", "outcome", "evidence"}`; what the person gives back, by `Command(resume=...)`: True, or a note, which
the policy is told as the next turn of the same conversation.
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage, HumanMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from agent.answer import Answer
from agent.chat.provider.model import with_images
from agent.limits import Limits
from agent.question import Question, question_of
from graphs.parts.state import Checkpointer, Graph, Update, output_of
from graphs.reasoning import reader
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

NOTES = 5
"""Most notes of a person; the answer after the last of them stands unseen."""


class Reviewed(Answer):
    """The output, the conversation, and what the person said of it."""

    messages: list[AnyMessage]
    note: str
    """What the person wants looked at again and the policy has not heard yet; empty where there is nothing."""
    notes: list[str]
    """All that the person said of this question."""
    accepted: bool


def answer_interrupt(value: object) -> bool:
    """Where nobody is there to look it over (training, the gym), the answer is accepted."""
    del value
    return True


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
    reading = reader(model, tools, turns)

    async def answer(state: Reviewed) -> Update:
        question = question_of(state)
        note = state.get("note", "")  # without one it is a new question, whatever the thread held before
        opening = [*state["messages"], HumanMessage(note)] if note else []
        done = await reading(question, opening)
        notes = state["notes"] if note else []
        return {**output_of(done), "messages": done["messages"], "note": "", "notes": notes, "accepted": False}

    async def person(state: Reviewed) -> Update:
        said: object = interrupt({name: state[name] for name in ("answer", "outcome", "evidence")})
        return {"accepted": True} if said is True else {"note": str(said), "notes": [*state["notes"], str(said)]}

    async def after_answer(state: Reviewed) -> str:
        return END if len(state["notes"]) >= NOTES else "person"

    async def after_person(state: Reviewed) -> str:
        return END if state["accepted"] else "answer"

    graph: Any = StateGraph(Reviewed, input_schema=Question)
    graph.add_node(answer)
    graph.add_node(person)
    graph.add_edge(START, "answer")
    graph.add_conditional_edges("answer", after_answer, ["person", END])
    graph.add_conditional_edges("person", after_person, ["answer", END])
    return graph.compile(checkpointer=checkpointer)
