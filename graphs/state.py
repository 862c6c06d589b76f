"""What the graphs of messages share: one input, one output, and how an episode ends.

Input is `images` and `question`, output is what the reasoning graph gives too: `answer`, `evidence`, `outcome`,
`transcript`, with every call and the number of turns. State holds ids of images, never images.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph.state import CompiledStateGraph

from agent.answer import Answered, Message, Outcome, cited
from agent.chat_model.pictures import Pictures, image_block
from agent.chat_model.reply import FAULT
from agent.chat_model.said import THOUGHT, arguments_text, said
from agent.prompt import ABSTAIN
from agent.question import Question
from graphs.findings import Finding
from tools.images.store import ImageStore

Update = dict[str, Any]


Graph = CompiledStateGraph[Any, None, Question, Any]


def shown(images: Sequence[str], text: str) -> HumanMessage:
    """A user's message of images and a text."""
    return HumanMessage([*map(image_block, images), {"type": "text", "text": text}])


def ended(
    asked: Question,
    messages: Sequence[AnyMessage],
    calls: Sequence[Mapping[str, Any]],
    images: Sequence[str],
    store: ImageStore,
) -> Answered:
    """The output: `messages` end with the policy's last turn, or before it where that had no room in the context.

    `images` are all that it saw.
    """
    last = messages[-1]
    text = last.text.strip() if isinstance(last, AIMessage) else ""
    abstains = text.rstrip(".").lower() == ABSTAIN
    answered = (
        bool(text) and isinstance(last, AIMessage) and not last.tool_calls and FAULT not in last.response_metadata
    )
    unanswered: Outcome = "too_many_turns" if isinstance(last, AIMessage) else "context_full"
    outcome: Outcome = unanswered if not answered else "abstained" if abstains else "answered"
    pictures = Pictures(store)
    spoke = [message for message in messages if isinstance(message, AIMessage)]
    return Answered(
        question=asked["question"],
        images=list(images),
        answer=text if outcome == "answered" else None,
        evidence=cited(images, calls, store) if answered else [],
        outcome=outcome,
        transcript=[entry(message, pictures) for message in messages],
        calls=[dict(call) for call in calls],
        turns=len(spoke),
        faults=sum(FAULT in message.response_metadata for message in spoke),
        versions=versions_of(spoke),
    )


def versions_of(messages: Sequence[AnyMessage]) -> list[str]:
    """The policy's versions that sampled these messages, each once, in order."""
    return list(dict.fromkeys(each for message in messages for each in message.response_metadata.get("versions", ())))


def with_readings(output: Answered, readings: Sequence[Finding]) -> Answered:
    """The output of a graph whose answer rests on readings that were done before: theirs is counted too."""
    output["turns"] += sum(each["turns"] for each in readings)
    output["faults"] += sum(each["faults"] for each in readings)
    spoke = [version for each in readings for version in each["versions"]]
    output["versions"] = list(dict.fromkeys([*spoke, *output["versions"]]))
    return output


def written(message: AIMessage) -> str:
    """A turn of the policy as a transcript shows it: thought and calls between tags, whatever its family writes."""
    calls = "".join(
        f'<tool_call>{{"name": {json.dumps(call["name"])}, "arguments": {arguments_text(call["args"])}}}</tool_call>'
        for call in message.tool_calls
    )
    return f"<think>{message.additional_kwargs.get(THOUGHT, '')}</think>{message.text}{calls}"


def entry(message: AnyMessage, pictures: Pictures) -> Message:
    """A message as an entry of a transcript."""
    if isinstance(message, AIMessage):
        return Message(role="policy", text=written(message), images=[])
    content = said(message, pictures)
    return Message(role="tools" if content.role == "tool" else "user", text=content.text, images=list(content.images))
