"""A planner whose plan a person approves: where to look comes as structured output, a pause asks, a reader follows.

The state has words of its own, so two functions say how a question goes in and an answer comes out. A person in
training approves each plan; one who does not says what to change, and the plan is made anew. Needs `langchain`. Nothing
here is about training: see examples/debate.py. Research use only, not a medical device.
"""

# create_agent is generic in more than it names
# pyright: reportUnknownVariableType=false

from collections.abc import Mapping, Sequence
from operator import add
from typing import Annotated, Any, Literal

from langchain.agents import create_agent
from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agent.chat.base import ImageChatModel
from graphs.parts.state import question_message

PLAN = "Plan where to look."
READ = "You look where you are told, and say what you see there."
CONCLUDE = "Answer by these notes."
APPROVED = "yes"


class Plan(BaseModel):
    """Where to look, in this order."""

    places: list[Literal["upper left", "upper right", "lower left", "lower right", "whole image"]] = Field(
        min_length=1, max_length=2
    )


class Wish(TypedDict):
    """What is asked, as this graph speaks of it."""

    scans: list[str]
    wish: str


class Reading(Wish):
    """What becomes of it."""

    remarks: Annotated[list[str], add]
    """What the person wants changed."""
    plan: list[str]
    notes: list[str]
    report: str


def question_to_input(question: Mapping[str, Any]) -> Wish:
    """Our question in the graph's words."""
    return {"scans": question["images"], "wish": question["question"]}


def output_to_answer(output: Mapping[str, Any]) -> dict[str, Any]:
    """The graph's report as our answer."""
    return {"answer": output.get("report")}


def factory(model: ImageChatModel, tools: Sequence[BaseTool]) -> Any:
    """The graph on a chat model."""
    planner = model.with_structured_output(Plan)
    reader: Any = create_agent(model, list(tools), system_prompt=READ)

    async def plan(state: Reading) -> dict[str, Any]:
        wish = "\n".join([*state["remarks"], state["wish"]])
        planned: Any = await planner.ainvoke([SystemMessage(PLAN), question_message(state["scans"], wish)])
        return {"plan": planned.places}

    def approve(state: Reading) -> Command[Literal["plan", "look"]]:
        said = interrupt({"plan": state["plan"]})
        if said == APPROVED:
            return Command(goto="look")
        return Command(goto="plan", update={"remarks": [said]})

    async def look(state: Reading) -> dict[str, Any]:
        notes: list[str] = []
        for place in state["plan"]:
            asked = question_message(state["scans"], f"Look at this place: {place}.\n{state['wish']}")
            done = await reader.ainvoke({"messages": [asked]})
            notes.append(f"{place}: {done['messages'][-1].text.strip()}")
        return {"notes": notes}

    async def conclude(state: Reading) -> dict[str, Any]:
        notes = "\n".join(state["notes"])
        said = await model.ainvoke(
            [SystemMessage(CONCLUDE), question_message(state["scans"], f"{notes}\n{state['wish']}")]
        )
        return {"report": said.text.strip()}

    graph: Any = StateGraph(Reading, input_schema=Wish)
    for node in (plan, approve, look, conclude):
        graph.add_node(node)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "approve")
    graph.add_edge("look", "conclude")
    return graph.compile()
