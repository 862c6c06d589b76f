"""Answer, then look again: the region that the answer rests on is shown once more, larger, and the policy confirms its
answer, revises it or abstains.

The second look goes on in the same conversation, so the policy sees its own chain of evidence. An answer without a
region is checked against the whole image.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph

from agent.answer import Answer, cited
from agent.chat.provider.model import with_images
from agent.limits import Limits
from agent.question import Question, question_of
from graphs.parts.state import Checkpointer, Graph, Update, output_of, question_message
from graphs.reasoning import reader
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

MARGIN = 0.25
"""Of the cited box's sides, added on each side."""
ASK_AGAIN = "This is the region your answer rests on. You answered {answer!r}. Confirm it, correct it, or abstain.\n"


class Verified(Answer):
    """The output, the first answer, and what became of it."""

    messages: list[AnyMessage]
    first: Answer
    verdict: Literal["confirmed", "revised", "abstained", "unanswered"]


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

    async def answer(state: Question) -> Update:
        question = question_of(state)
        done = await reading(question)
        return {"messages": done["messages"], "first": output_of(done)}

    async def verify(state: Verified) -> Update:
        first = state["first"]
        if first["outcome"] != "answered":
            return {**first, "verdict": "abstained" if first["outcome"] == "abstained" else "unanswered"}
        store = model.image_store
        again = await asyncio.to_thread(lambda: store.put(region(first, store)))
        look = question_message([again], ASK_AGAIN.format(answer=first["answer"]) + state["question"])
        done = await reading(question_of(state), [*state["messages"], look])
        output = output_of(done)
        same = output["answer"] is not None and _same(output["answer"], first["answer"])
        verdict = {"answered": "confirmed" if same else "revised", "abstained": "abstained"}
        return {**output, "messages": done["messages"], "verdict": verdict.get(str(output["outcome"]), "unanswered")}

    graph: Any = StateGraph(Verified, input_schema=Question)
    graph.add_node(answer)
    graph.add_node(verify)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", "verify")
    graph.add_edge("verify", END)
    return graph.compile(checkpointer=checkpointer)


def region(output_of: Answer, store: ImageStore) -> MedicalImage:
    """The last region that an answer cites, with a margin, cut from its source; else the first image whole."""
    evidence = cited(output_of["images"], output_of["calls"], store)
    if not evidence or evidence[-1]["source"] not in store:
        return store.get(output_of["images"][0])
    source = store.get(evidence[-1]["source"])
    left, top, right, bottom = evidence[-1]["box"]
    across, down = MARGIN * (right - left), MARGIN * (bottom - top)
    box = (
        max(0, round(left - across)),
        max(0, round(top - down)),
        min(source.width, round(right + across)),
        min(source.height, round(bottom + down)),
    )
    return source.crop(box)


def _same(one: str, other: str | None) -> bool:
    return other is not None and one.strip().rstrip(".").lower() == other.strip().rstrip(".").lower()
