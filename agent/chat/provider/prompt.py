"""A conversation as any provider takes it: what our graphs' messages say, in the few forms that all of them accept.

One system message first. Images as base64 PNG of 8 bits (what the policies see too), each announced by its number, and
only in user turns: the images of tool results follow the run of tool messages, for OpenAI and vLLM refuse them there.
Every tool call is answered, every answer has its call, no two user turns stand side by side. Turns that other models
wrote are text and calls; the model's own go back as they came, with what its provider keeps in them (signed thoughts).
Where no tool is offered, and in turns that could not be read, calls are told in words: providers refuse the others.
"""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.chat.images import MessageImages
from agent.chat.messages import MessageContent, content_of
from agent.chat.reply import FAULT
from agent.prompt import plain

NOT_RUN = "This call was not run."
Block = dict[str, Any]


def provider_messages(
    messages: Sequence[BaseMessage],
    instructions: str,
    pictures: MessageImages,
    png: Callable[[str], str],
    *,
    own: str,
    calls: bool,
) -> list[BaseMessage]:
    """The messages to send. `png` gives an image of the store as base64, `own` is the version that the model's own
    turns bear, `calls` says whether tools are offered. Raises MessageError and ImageError as `said` does."""
    chat = _Chat(png, own, calls)
    told = [(message, content_of(message, pictures)) for message in messages]
    leading = next((place for place, (_, says) in enumerate(told) if says.role != "system"), len(told))
    chat.system([instructions, *(says.text for _, says in told[:leading])])
    for _, says in told[:leading]:
        chat.user(MessageContent("user", tuple(part for part in says.parts if not isinstance(part, str))))
    for message, says in told[leading:]:
        if isinstance(message, ToolMessage):
            chat.tool(message, says)
        elif says.role == "assistant":
            chat.assistant(message, says)
        else:
            chat.user(says)
    return chat.closed()


class _Chat:
    """The conversation so far."""

    def __init__(self, png: Callable[[str], str], own: str, calls: bool) -> None:
        self._png = png
        self._own = own
        self._calls = calls
        self._sent: list[BaseMessage] = []
        self._open: dict[str, str] = {}
        """Calls that are not answered yet: id and name."""
        self._blocks: list[Block] = []
        """The user turn that stands behind what was sent."""
        self._images = 0

    def system(self, texts: Sequence[str]) -> None:
        if text := "\n\n".join(plain(text) for text in texts if text):
            self._sent.append(SystemMessage(text))

    def user(self, says: MessageContent) -> None:
        self._answer_all()
        self._blocks += self._shown(says)

    def tool(self, message: ToolMessage, says: MessageContent) -> None:
        name = self._open.pop(message.tool_call_id, None)
        if name is None:
            self._blocks.append(_text(f"{message.name or 'A tool'} answered: {plain(says.text)}"))
            self._blocks += self._pictures(says)
            return
        first = self._images + 1
        self._blocks += self._pictures(says)
        made = [f"Image {number} is shown below." for number in range(first, self._images + 1)]
        text = "\n".join(filter(None, [plain(says.text), *made]))
        self._sent.append(ToolMessage(text, tool_call_id=message.tool_call_id, name=name, status=message.status))

    def assistant(self, message: BaseMessage, says: MessageContent) -> None:
        self._turn_ends()
        made = message if isinstance(message, AIMessage) else AIMessage(says.text)
        readable = FAULT not in made.response_metadata
        calls = made.tool_calls if self._calls and readable else []
        if made.response_metadata.get("versions") == [self._own] and readable and len(calls) == len(made.tool_calls):
            sent = made
        else:
            told = [] if calls else [call_in_words(call.name, call.arguments) for call in says.calls]
            told += [call_in_words("", call) for call in says.malformed]
            sent = AIMessage(plain("\n".join(filter(None, [says.text, *told]))), tool_calls=calls)
        if sent.text or sent.tool_calls:
            self._sent.append(sent)
        self._open = {str(call["id"]): call["name"] for call in calls}

    def closed(self) -> list[BaseMessage]:
        self._turn_ends()
        return self._sent

    def _answer_all(self) -> None:
        self._sent += [ToolMessage(NOT_RUN, tool_call_id=call, name=name) for call, name in self._open.items()]
        self._open = {}

    def _turn_ends(self) -> None:
        self._answer_all()
        texts = [block["text"] for block in self._blocks if block["type"] == "text"]
        if self._blocks:  # a text alone as one: what every server reads
            self._sent.append(HumanMessage("\n".join(texts) if len(texts) == len(self._blocks) else [*self._blocks]))
        self._blocks = []

    def _shown(self, says: MessageContent) -> list[Block]:
        blocks: list[Block] = []
        for part in says.parts:
            blocks += _words(part) if isinstance(part, str) else self._one(part.image)
        return blocks

    def _pictures(self, says: MessageContent) -> list[Block]:
        return [block for image in says.images for block in self._one(image)]

    def _one(self, image: str) -> list[Block]:
        self._images += 1
        picture = {"type": "image", "base64": self._png(image), "mime_type": "image/png"}
        return [_text(f"Image {self._images}:"), picture]


def call_in_words(name: str, arguments: str) -> str:
    """A call in words."""
    return f"[called {name or 'a tool'} with {arguments or 'nothing'}]"


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _words(text: str) -> list[Block]:
    return [_text(plain(text))] if text.strip() else []
