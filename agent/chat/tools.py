"""Tools over a conversation's messages: in our reasoning graph, `create_agent`, `ToolNode`, any state with `messages`.

A medical tool names images by their number in the conversation. Here it finds them in the messages themselves, and
what it returns is put into the store and comes back as ids: messages and checkpoints stay small. Every call runs
through a Toolbox, with its wrappers, deadlines and limits, and what goes wrong comes back as text that says how to
mend the call. LangGraph runs each call of a turn by itself; the turn's other calls and what the conversation has spent
are read off its messages, so a Toolbox lets the same calls through as where it runs a whole turn.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, cast

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import ToolRuntime
from pydantic import BaseModel

from agent.chat import synchronous
from agent.chat.images import MessageImages, image_block
from agent.chat.messages import images_of
from agent.chat.record.episode import recording_episode
from tools.calls import ToolCall, ToolResult
from tools.images.store import ImageStore
from tools.medical_tool import MedicalTool
from tools.signature import arguments_schema
from tools.toolbox import Toolbox, unknown

WhyNotShown = Callable[[str], str | None]
"""Why a policy cannot be shown an image of the store; None if it can (`ImageChatModel.why_not_shown`)."""


class ConversationTool(StructuredTool):
    """A tool of a Toolbox over the images of a conversation."""

    inner: BaseTool
    """What is described to the policy, and run."""
    toolbox: Any
    """The Toolbox that runs it."""


def for_messages(
    tools: Sequence[BaseTool] | Toolbox,
    store: ImageStore,
    key: str = "messages",
    why_not_shown: WhyNotShown | None = None,
) -> list[BaseTool]:
    """The tools for a graph whose state has messages under `key`, run through one Toolbox.

    Of a Toolbox every tool is, of a sequence the medical tools and those that came from here: a plain tool stays
    LangChain's own there, and so does everywhere one that takes the graph's state, store or runtime, for it is a part
    of the graph. With `why_not_shown` of the chat model, a tool that returns an image which the model's processor
    refuses has failed; without it, the next call of the model raises.
    """
    whole = isinstance(tools, Toolbox)

    def ours(tool: BaseTool) -> bool:
        return isinstance(tool, MedicalTool | ConversationTool) or (whole and not _is_part_of_graph(tool))

    asked = tools.tools if whole else tools
    toolbox, pictures = tools if whole else toolbox_of([tool for tool in asked if ours(tool)]), MessageImages(store)
    return [_wrapped(tool, toolbox, pictures, key, why_not_shown) if ours(tool) else tool for tool in asked]


def toolbox_of(tools: Sequence[BaseTool] | Toolbox) -> Toolbox:
    """The Toolbox that runs `tools`: as it is; that which `for_messages` made them from, others joining it; or a new
    one. Raises ValueError for tools of several Toolboxes."""
    if isinstance(tools, Toolbox):
        return tools
    boxes = {id(tool.toolbox): cast(Toolbox, tool.toolbox) for tool in tools if isinstance(tool, ConversationTool)}
    if len(boxes) > 1:
        raise ValueError("Got tools of several Toolboxes, expected those of one: put all tools into one Toolbox.")
    if not boxes:
        return Toolbox(tools)
    (toolbox,) = boxes.values()
    inner = [getattr(tool, "inner", tool) for tool in tools]
    same = [tool.name for tool in inner] == list(toolbox.names)
    return toolbox if same else toolbox.around(inner)


async def run_calls(
    toolbox: Toolbox,
    calls: Sequence[ToolCall],
    images: Sequence[str],
    store: ImageStore,
    spent: Mapping[str, int],
    places: Collection[int] | None = None,
    why_not_shown: WhyNotShown | None = None,
) -> list[ToolResult]:
    """As `Toolbox.run`, noted by the episode that records here; what its parent was given, if it is a fork, is not run
    again. A call whose result holds an image that is not shown has failed."""
    episode = recording_episode()
    known = partial(episode.known_result, images=images) if episode is not None else unknown
    ran = await toolbox.run(calls, images, store, spent, places, known)
    results = [_shown(each, why_not_shown) for each in ran]
    if episode is not None:
        for result in results:
            episode.note_result(result, images)
    return results


def images_shown(messages: Sequence[BaseMessage], pictures: MessageImages) -> list[str]:
    """Ids of a conversation's images; number n is entry n - 1."""
    return [image for message in messages for image in images_of(message, pictures)]


def spent_in(messages: Sequence[BaseMessage], names: Collection[str]) -> Counter[str]:
    """How often each tool of `names` was called, as a conversation's tool messages say; not what was sent back."""
    told: list[Any] = [message.artifact for message in messages if isinstance(message, ToolMessage)]
    results = [each for each in told if _is_result(each) and each["status"] != "retry"]
    return Counter(each["call"]["name"] for each in results if each["call"]["name"] in names)


def tool_message(result: ToolResult, call_id: str) -> ToolMessage:
    """A tool's result as a message: text and ids of images; the whole result as its artifact."""
    text = result.text if result.status == "ok" else f"{result.call.name} did not run. {result.text}"
    blocks = [{"type": "text", "text": text}, *map(image_block, result.images)]
    return ToolMessage(
        cast("list[str | dict[str, Any]]", blocks),
        name=result.call.name,
        tool_call_id=call_id,
        status="success" if result.status == "ok" else "error",
        artifact=result.model_dump(mode="json"),
    )


def _wrapped(
    tool: BaseTool, toolbox: Toolbox, pictures: MessageImages, key: str, why_not_shown: WhyNotShown | None
) -> ConversationTool:
    inner = tool.inner if isinstance(tool, ConversationTool) else tool

    async def call(runtime: ToolRuntime[Any, Any], **arguments: Any) -> ToolMessage:
        messages, call_id = _messages(runtime.state, key), runtime.tool_call_id or ""
        images, spent = images_shown(messages, pictures), spent_in(messages, toolbox.names)
        before = _before(messages, call_id)
        turn = [*before, ToolCall(name=inner.name, arguments=arguments)]
        (result,) = await run_calls(toolbox, turn, images, pictures.store, spent, [len(before)], why_not_shown)
        return tool_message(result, call_id)

    def call_and_wait(runtime: ToolRuntime[Any, Any], **arguments: Any) -> ToolMessage:
        return synchronous.wait(call(runtime, **arguments), None)

    return ConversationTool(
        name=inner.name,
        description=inner.description,
        args_schema=dict(arguments_schema(inner)),  # no model: the Toolbox checks what the policy wrote
        func=call_and_wait,
        coroutine=call,
        inner=inner,
        toolbox=toolbox,
    )


def _before(messages: Sequence[BaseMessage], call_id: str) -> list[ToolCall]:
    """The calls of the same turn that stand before a call, but for those that are answered already: a person refused
    them, or what they spent is told by their messages."""
    answered: set[str] = set()
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage) and call_id in (ids := [call["id"] for call in message.tool_calls]):
            calls = message.tool_calls[: ids.index(call_id)]
            return [ToolCall(name=call["name"], arguments=call["args"]) for call in calls if call["id"] not in answered]
    return []


def _shown(result: ToolResult, why_not_shown: WhyNotShown | None) -> ToolResult:
    reasons = map(why_not_shown, result.images) if why_not_shown is not None else ()
    why = next(filter(None, reasons), None)
    return result if why is None else result.model_copy(update={"status": "failed", "text": why, "images": ()})


def _is_part_of_graph(tool: BaseTool) -> bool:
    """Whether a tool takes what only its graph can give: the state, the store, the runtime, the call's id."""
    if isinstance(tool.args_schema, dict):  # a remote tool
        return False
    schema = cast("type[BaseModel]", tool.get_input_schema())
    return not schema.model_fields.keys() <= tool.args.keys()


def _is_result(artifact: object) -> bool:
    """Whether a tool message's artifact is a ToolResult, as a message carries it."""
    told = cast("Mapping[str, Any]", artifact).keys() if isinstance(artifact, Mapping) else ()
    return {"call", "status", "tool_version"}.issubset(told)


def _messages(state: object, key: str) -> Sequence[AnyMessage]:
    if isinstance(state, list):
        return cast("list[AnyMessage]", state)
    if isinstance(state, Mapping):
        return cast("Mapping[str, Any]", state)[key]
    return getattr(state, key)
