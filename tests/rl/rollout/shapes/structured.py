"""Structured answers in the ways that LangChain knows: a model, a schema, a call; what is read becomes the answer."""

import json
from typing import Any

from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from agent.question import Question
from graphs.parts.state import question_message


class Reading(BaseModel):
    """What a reader found."""

    answer: str
    confidence: float = 0.5


class Read(Question):
    """What was read."""

    answer: str


SCHEMA = {"title": "reading", "type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


def graph_of(reader: Any) -> Any:
    """A graph of one structured turn."""

    async def read(state: Question) -> dict[str, Any]:
        found = await reader.ainvoke([question_message(state["images"], state["question"])])
        said = found.model_dump() if isinstance(found, BaseModel) else found
        return {"answer": said["answer"] if isinstance(said, dict) and "answer" in said else json.dumps(said)}

    graph: Any = StateGraph(Read, input_schema=Question)
    graph.add_node(read)
    graph.add_edge(START, "read")
    return graph.compile()


def factory(model: Any, tools: Any) -> Any:
    """The answer is JSON of a model."""
    return graph_of(model.with_structured_output(Reading))


def by_schema(model: Any, tools: Any) -> Any:
    """The answer is JSON of a schema."""
    return graph_of(model.with_structured_output(SCHEMA))


def by_call(model: Any, tools: Any) -> Any:
    """The answer is a call."""
    return graph_of(model.with_structured_output(Reading, method="function_calling"))
