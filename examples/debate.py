"""A debate of two readers: each answers, reads what the other said, answers again; then a judge decides.

Nothing here is about training. `python -m rl.train graph=examples/debate.py:factory` trains it, `python -m
rl.check_graph examples/debate.py:factory` proves first that its tokens are right. Research use only, not a medical
device.
"""

from collections.abc import Sequence
from typing import Any, TypedDict

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph

from agent.chat.base import ImageChatModel
from agent.question import Question
from graphs.parts.state import Graph, question_message

ROUNDS = 2
SIDES = {"bold": "You name what you see at once.", "careful": "You doubt what is seen at first."}
JUDGE = "Two readers have debated. Decide."


class Debate(TypedDict):
    """Both sides' conversations, and the verdict."""

    images: list[str]
    question: str
    bold: list[AnyMessage]
    careful: list[AnyMessage]
    rounds: int
    answer: str


def factory(model: ImageChatModel, tools: Sequence[BaseTool]) -> Graph:
    """The debate on a chat model; the readers only look, without tools."""
    del tools

    def begin(state: Debate) -> dict[str, Any]:
        asked = question_message(state["images"], state["question"])
        return {side: [SystemMessage(nature), asked] for side, nature in SIDES.items()} | {"rounds": 0}

    async def bold(state: Debate) -> dict[str, Any]:
        return {"bold": [*state["bold"], await model.ainvoke(state["bold"])]}

    async def careful(state: Debate) -> dict[str, Any]:
        return {"careful": [*state["careful"], await model.ainvoke(state["careful"])]}

    def listen(state: Debate) -> dict[str, Any]:
        """Waits until both have spoken."""
        return {"rounds": state["rounds"] + 1}

    def exchange(state: Debate) -> dict[str, Any]:
        return {
            "bold": [*state["bold"], HumanMessage(f"The other says: {last_words(state['careful'])}")],
            "careful": [*state["careful"], HumanMessage(f"The other says: {last_words(state['bold'])}")],
        }

    async def judge(state: Debate) -> dict[str, Any]:
        told = f"Bold: {last_words(state['bold'])}\nCareful: {last_words(state['careful'])}"
        verdict = await model.ainvoke(
            [SystemMessage(JUDGE), question_message(state["images"], f"{told}\n{state['question']}")]
        )
        return {"answer": verdict.text.strip()}

    def after(state: Debate) -> list[str]:
        return ["judge"] if state["rounds"] >= ROUNDS else ["exchange"]

    graph: Any = StateGraph(Debate, input_schema=Question)
    for node in (begin, bold, careful, listen, exchange, judge):
        graph.add_node(node)
    graph.add_edge(START, "begin")
    for side in SIDES:
        graph.add_edge("begin", side)
        graph.add_edge("exchange", side)
    graph.add_edge(list(SIDES), "listen")
    graph.add_conditional_edges("listen", after, ["judge", "exchange"])
    graph.add_edge("judge", END)
    return graph.compile()


def last_words(conversation: Sequence[AnyMessage]) -> str:
    """What was said last in a conversation."""
    return conversation[-1].text.strip()
