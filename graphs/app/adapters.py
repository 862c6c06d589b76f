"""Between an episode and a graph of any schema: how a question goes in, how an answer comes out, who answers a pause.

A graph with our schema (`images` and `question` in, `answer` out) needs nothing. One whose state is `messages`, such as
`create_agent`'s, is asked with one user message, and its last message is the answer. For any other, the module that
makes it defines functions beside the factory:

    question_to_input(question)   what the graph is invoked with, from {"images": [ids], "question": text}
    output_to_answer(output)      {"answer": text or None}, from the graph's final state; it may hold `evidence`,
                                  `transcript`, `calls`, `images`, `outcome`, `turns` and `faults` as well
    answer_interrupt(value)       what a person would say to `interrupt(value)`; by default they approve
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

from langchain_core.messages import AIMessage, AnyMessage

from agent.question import Question, question_of
from graphs.app.source import GraphError
from graphs.parts.state import is_faulty, question_message

TO_INPUT, TO_ANSWER, ANSWER_INTERRUPT = "question_to_input", "output_to_answer", "answer_interrupt"
MESSAGES = "messages"
AGREES = "yes"
"""What a person says by default."""


@dataclass(frozen=True)
class Adapter:
    """How one graph is asked."""

    to_input: Callable[[Question], Any]
    to_answer: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    to_interrupt: Callable[[Any], Any]


def adapter_of(name: str, module: ModuleType, graph: Any) -> Adapter:
    """How a compiled graph is asked. Raises GraphError where its schema is not ours and nothing says how."""
    taken, given = _fields(graph, graph.builder.input_schema), _fields(graph, graph.builder.output_schema)
    to_input = getattr(module, TO_INPUT, None)
    if to_input is None and {"images", "question"} <= taken:
        to_input = _as_it_is
    elif to_input is None and MESSAGES in taken:
        to_input = _as_message
    to_answer = getattr(module, TO_ANSWER, None)
    if to_answer is None and "answer" in given:
        to_answer = _own_answer
    elif to_answer is None and MESSAGES in given:
        to_answer = _last_message
    if to_input is None:
        raise GraphError(
            f"Got the graph {name!r}, whose input is {sorted(taken)}, expected `images` and `question`, or `messages`; "
            f"define {TO_INPUT}(question) beside its factory (docs/graphs.md)."
        )
    if to_answer is None:
        raise GraphError(
            f"Got the graph {name!r}, whose output is {sorted(given)}, expected `answer`, or `messages`; define "
            f"{TO_ANSWER}(output) beside its factory (docs/graphs.md)."
        )
    return Adapter(to_input, to_answer, getattr(module, ANSWER_INTERRUPT, agree))


def agree(value: Any) -> Any:
    """What a person who lets everything pass says to an interrupt: approval of each action that a request of
    LangChain's human-in-the-loop middleware names, "yes" to all else."""
    actions: object = cast("Mapping[str, Any]", value).get("action_requests") if isinstance(value, Mapping) else None
    if isinstance(actions, list):
        return {"decisions": [{"type": "approve"} for _ in cast("list[object]", actions)]}
    return AGREES


def _fields(graph: Any, schema: type) -> set[str]:
    known: Mapping[type, Mapping[str, object]] = graph.builder.schemas
    return set(known.get(schema, ()))


def _as_it_is(value: Any) -> Any:
    return value


def _own_answer(output: Mapping[str, Any]) -> dict[str, Any]:
    """The output; a graph that ended without writing an answer has none."""
    return {"answer": None, **output}


def _as_message(question: Question) -> dict[str, Any]:
    checked = question_of(question)
    return {MESSAGES: [question_message(checked["images"], checked["question"])]}


def _last_message(output: Mapping[str, Any]) -> dict[str, Any]:
    """The text of the last message, if the policy spoke it, called nothing and tried no call that cannot be read."""
    last: AnyMessage | None = (output.get(MESSAGES) or [None])[-1]
    if not isinstance(last, AIMessage) or last.tool_calls or is_faulty(last):
        return {"answer": None}
    return {"answer": last.text.strip() or None}
