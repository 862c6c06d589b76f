"""Medical tools for graphs of messages: `create_agent`, `ToolNode`, any state with `messages`.

A medical tool names images by their number in the conversation. Here it finds them in the messages themselves, and
what it returns is put into the store and comes back as ids: messages and checkpoints stay small. Calls run with the
toolbox's deadlines, and what goes wrong comes back as text that says how to mend the call.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from langchain_core.messages import AnyMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import InjectedState
from pydantic import BaseModel, ConfigDict

from agent.chat_model import waiting
from agent.chat_model.base import ImageChatModel
from agent.chat_model.episode import recording_episode
from agent.chat_model.pictures import Pictures, image_block
from agent.chat_model.said import said
from tools.calls import ToolCall, ToolResult
from tools.images.store import ImageStore
from tools.medical_tool import MedicalTool
from tools.toolbox import Toolbox


class ConversationTool(StructuredTool):
    """A medical tool over the images of a conversation."""

    medical: MedicalTool
    """What is described to the policy, and run."""


class _Anything(BaseModel):
    """Whatever the policy wrote, which the toolbox checks, and the graph's state."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)
    state: Annotated[Any, InjectedState]


def for_messages(
    tools: Sequence[BaseTool], store: ImageStore, key: str = "messages", deadline_s: float = 20.0
) -> list[BaseTool]:
    """The tools for a graph whose state has messages under `key`; those that are no medical tools stay as they are."""
    plain = [tool.medical if isinstance(tool, ConversationTool) else tool for tool in tools]
    return [_wrapped(tool, store, key, deadline_s) if isinstance(tool, MedicalTool) else tool for tool in plain]


def toolbox_of(tools: Sequence[BaseTool] | Toolbox) -> Toolbox:
    """A Toolbox as it is, one of these tools else."""
    return tools if isinstance(tools, Toolbox) else Toolbox(tools)


async def run_calls(
    toolbox: Toolbox,
    calls: Sequence[ToolCall],
    images: Sequence[str],
    model: ImageChatModel,
    spent: Mapping[str, int],
) -> list[ToolResult]:
    """Runs the calls of a turn."""
    found: list[ToolResult] = []
    for result in await toolbox.run(calls, images, model.image_store, spent):
        why = next(filter(None, map(model.why_not_shown, result.images)), None)
        found.append(result.model_copy(update={"status": "failed", "text": why, "images": ()}) if why else result)
    if (episode := recording_episode()) is not None:
        episode.results += [result.model_dump(mode="json") for result in found]
    return found


def spent_in(messages: Sequence[BaseMessage]) -> Mapping[str, int]:
    """How often each tool ran in a conversation."""
    told: list[Any] = [message.artifact for message in messages if isinstance(message, ToolMessage)]
    return Counter(str(call["call"]["name"]) for call in told if call and call["status"] != "retry")


def images_shown(messages: Sequence[BaseMessage], pictures: Pictures) -> list[str]:
    """Ids of a conversation's images; number n is entry n - 1."""
    return [image for message in messages for image in said(message, pictures).images]


def tool_message(result: ToolResult, call_id: str) -> ToolMessage:
    """A tool's result as a message: text and ids of images; regions and measurements as its artifact."""
    text = result.text if result.status == "ok" else f"{result.call.name} did not run. {result.text}"
    blocks = [{"type": "text", "text": text}, *map(image_block, result.images)]
    return ToolMessage(
        cast("list[str | dict[str, Any]]", blocks),
        name=result.call.name,
        tool_call_id=call_id,
        status="success" if result.status == "ok" else "error",
        artifact=result.model_dump(mode="json"),
    )


def _wrapped(tool: MedicalTool, store: ImageStore, key: str, deadline_s: float) -> ConversationTool:
    toolbox, pictures = Toolbox([tool], deadline_s=deadline_s), Pictures(store)

    async def call(state: Any, **arguments: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        images = images_shown(_messages(state, key), pictures)
        (result,) = await toolbox.run([ToolCall(name=tool.name, arguments=arguments)], images, store)
        message = tool_message(result, "")
        if (episode := recording_episode()) is not None:
            episode.results.append(result.model_dump(mode="json"))
        return cast("list[dict[str, Any]]", message.content), message.artifact  # pyright: ignore[reportUnknownMemberType]

    def call_and_wait(state: Any, **arguments: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return waiting.wait(call(state, **arguments), None)

    return ConversationTool(
        name=tool.name,
        description=tool.description,
        args_schema=_Anything,
        func=call_and_wait,
        coroutine=call,
        response_format="content_and_artifact",
        medical=tool,
    )


def _messages(state: object, key: str) -> Sequence[AnyMessage]:
    if isinstance(state, list):
        return cast("list[AnyMessage]", state)
    if isinstance(state, Mapping):
        return cast("Mapping[str, Any]", state)[key]
    return getattr(state, key)
