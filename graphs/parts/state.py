"""What graphs share: one input, one output, and how an episode ends.

Input is `images` and `question`, output is what the reasoning graph gives too: `answer`, `evidence`, `outcome`,
`transcript`, with every call and the number of turns. State holds ids of images, never images.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from agent.answer import Answer, Message, Outcome, cited
from agent.chat.images import MessageImages, image_block
from agent.chat.messages import NOTE, arguments_text, content_of, thought_of
from agent.chat.reply import FAULT
from agent.chat.tools import images_shown
from agent.prompt import ABSTAIN
from agent.question import Question
from graphs.parts.findings import Finding

Update = dict[str, Any]
Checkpointer = BaseCheckpointSaver[Any] | bool | None
Graph = CompiledStateGraph[Any, None, Any, Any]


def question_message(images: Sequence[str], text: str) -> HumanMessage:
    """A user's message of images and a text."""
    return HumanMessage([*map(image_block, images), {"type": "text", "text": text}])


def correction_message(text: str) -> HumanMessage:
    """A user's message that asks nothing: the question stays the one before."""
    return HumanMessage(text, additional_kwargs={NOTE: True})


def turns_in(messages: Sequence[AnyMessage]) -> int:
    """How often the policy has spoken."""
    return sum(isinstance(message, AIMessage) for message in messages)


def answer_of(
    question: Question,
    messages: Sequence[AnyMessage],
    pictures: MessageImages,
    outcome: Outcome | None = None,
    readings: Sequence[Finding] = (),
) -> Answer:
    """The output of a conversation whose last message is the policy's answer, unless `outcome` says why there is none.

    `readings` were done before, by others: their turns and calls are counted too.
    """
    last = messages[-1]
    text = last.text.strip() if isinstance(last, AIMessage) else ""
    if outcome is None and (not text or not isinstance(last, AIMessage) or last.tool_calls or is_faulty(last)):
        outcome = "too_many_turns"
    if outcome is None:
        outcome = "abstained" if text.rstrip(".").lower() == ABSTAIN else "answered"
    images = images_shown(messages, pictures)
    calls = [*(call for each in readings for call in each["calls"]), *calls_in(messages)]
    versions = [*(version for each in readings for version in each["versions"]), *versions_of(messages)]
    return Answer(
        question=question["question"],
        images=images,
        answer=text if outcome == "answered" else None,
        evidence=cited(images, calls, pictures.store) if outcome in ("answered", "abstained") else [],
        outcome=outcome,
        transcript=[transcript_entry(message, pictures) for message in messages],
        calls=calls,
        turns=turns_in(messages) + sum(each["turns"] for each in readings),
        faults=sum(map(is_faulty, messages)) + sum(each["faults"] for each in readings),
        versions=list(dict.fromkeys(versions)),
    )


def output_of(state: Mapping[str, Any]) -> Answer:
    """The output of a graph without what else its state holds."""
    return cast(Answer, {name: state[name] for name in Answer.__annotations__})


def calls_in(messages: Sequence[AnyMessage]) -> list[dict[str, Any]]:
    """Every call of a medical tool that a conversation tells of, with its result, as JSON."""
    told: list[Any] = [message.artifact for message in messages if isinstance(message, ToolMessage)]
    return [call for call in told if is_result(call)]


def is_result(call: object) -> bool:
    """Whether something is a tools/calls.py ToolResult as JSON."""
    return isinstance(call, Mapping) and {"call", "status", "images"} <= cast("Mapping[str, Any]", call).keys()


def is_faulty(message: AnyMessage) -> bool:
    """Whether a turn could not be read."""
    return FAULT in message.response_metadata


def versions_of(messages: Sequence[AnyMessage]) -> list[str]:
    """The policy's versions that sampled these messages, in order."""
    return [each for message in messages for each in message.response_metadata.get("versions", ())]


def turn_text(message: AIMessage) -> str:
    """A turn of the policy as a transcript shows it: thought and calls between tags, whatever its family writes."""
    calls = "".join(
        f'<tool_call>{{"name": {json.dumps(call["name"])}, "arguments": {arguments_text(call["args"])}}}</tool_call>'
        for call in message.tool_calls
    )
    thought = thought_of(message)
    return (f"<think>{thought}</think>" if thought else "") + message.text + calls


def transcript_entry(message: AnyMessage, pictures: MessageImages) -> Message:
    """A message as an entry of a transcript."""
    if isinstance(message, AIMessage):
        return Message(role="policy", text=turn_text(message), images=[])
    content = content_of(message, pictures)
    return Message(role="tools" if content.role == "tool" else "user", text=content.text, images=list(content.images))
