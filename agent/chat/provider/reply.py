"""What a provider's model said, as our graphs read every turn: text, thoughts, whole calls, a fault if there is one.

Text and thoughts are passed on as they come, calls at the turn's end: only then is it known that all can be read. A
turn with a call that cannot, or that says nothing, has FAULT in its metadata and no call at all, so nothing waits for a
result; what was called stays in its text. Servers without parsers of their own leave tags in the text (`<think>`,
`<tool_call>`); they are read as those of published checkpoints are (agent/chat/turn_reader.py).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall, message_chunk_to_message
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
from pydantic import ValidationError

from agent.chat.messages import REPEATED_BLOCKS, THOUGHT
from agent.chat.provider.prompt import call_in_words
from agent.chat.reply import FAULT
from agent.chat.turn_reader import Piece, Reader
from agent.protocol import MalformedTurn, read_call
from tools.calls import ToolCall

SPOKEN = ("text", "reasoning", "thinking", "redacted_thinking")
"""Content blocks that are kept; what a provider did by itself (a search, a program) is no part of a turn of ours."""
FINISH = ("finish_reason", "stop_reason", "stopReason", "done_reason")
CUT = ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length")
"""How providers say that a reply was cut by its token limit."""
SAYS_CALLS = ("tool_calls", "function_call", "refusal")
"""What `additional_kwargs` says again."""
EXPECTED = "Expected an answer in plain words, or one or several tool calls."
Block = dict[str, Any]


class ReplyReader:
    """One turn as it comes. `version` is what it is said to be sampled by; without `tags` text is left as it is."""

    def __init__(self, version: str, tags: bool = True) -> None:
        self._version = version
        self._reader = Reader() if tags else None
        self._kept: list[ChatGenerationChunk] = []
        """All that was not passed on."""
        self._calls: list[ToolCall] = []
        self._speaks = False

    def feed(self, chunk: ChatGenerationChunk) -> Iterator[ChatGenerationChunk]:
        """What of a chunk can be passed on."""
        message = cast(AIMessageChunk, chunk.message)
        content = cast("str | list[str | Block]", message.content)  # pyright: ignore[reportUnknownMemberType]
        thought = str(message.additional_kwargs.get(THOUGHT) or "")
        kept: list[Block] = []
        if isinstance(content, str):
            said, thoughts = self._read(content)
            passed: str | list[str | Block] = said
            thought += thoughts
        else:
            blocks = [_block(block) for block in content]
            passed = [block for block in blocks if block["type"] in SPOKEN]
            kept = [block for block in blocks if block["type"] in REPEATED_BLOCKS]
            said = "".join(str(block.get("text", "")) for block in passed if isinstance(block, dict))
        self._speaks = self._speaks or bool(said.strip())
        also = {name: value for name, value in message.additional_kwargs.items() if name != THOUGHT}
        rest = message.model_copy(update={"content": kept or "", "additional_kwargs": also, "chunk_position": None})
        self._kept.append(ChatGenerationChunk(message=rest, generation_info=chunk.generation_info))
        yield from self._chunk(passed, thought, message.id)

    def close(self, said_of_all: Mapping[str, Any] | None = None) -> Iterator[ChatGenerationChunk]:
        """The rest, and last of all what is known about the whole turn; `said_of_all` is metadata beside it."""
        merged = merge_chat_generation_chunks(self._kept)
        message = cast(AIMessageChunk, merged.message) if merged is not None else AIMessageChunk(content="")
        info = (merged.generation_info if merged is not None else None) or {}
        metadata = {**(said_of_all or {}), **info, **message.response_metadata}
        text, thought = self._rest()
        refusal = message.additional_kwargs.get("refusal")
        if isinstance(refusal, str):
            text += refusal
        self._speaks = self._speaks or bool(text.strip())
        yield from self._chunk(text, thought, message.id)
        cut = _cut(metadata)
        calls, fault = self._read_calls(message, cut)
        metadata |= {"finish_reason": "length" if cut else "stop", "versions": [self._version]}
        content: Any = message.content  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if fault:
            metadata[FAULT] = fault
            told = [call_in_words(call.name, json.dumps(call.arguments, ensure_ascii=False)) for call in self._calls]
            told += [call_in_words(call["name"] or "", call["args"] or "") for call in message.tool_call_chunks]
            content = "".join(f"\n{call}" for call in told) if self._speaks else "\n".join(told)
        last = AIMessageChunk(
            content=content,
            id=message.id,
            additional_kwargs={
                name: said for name, said in message.additional_kwargs.items() if name not in SAYS_CALLS
            },
            response_metadata=metadata,
            usage_metadata=message.usage_metadata,
            tool_call_chunks=calls,  # pyright: ignore[reportArgumentType]
            chunk_position="last",
        )
        yield ChatGenerationChunk(message=last)

    def _chunk(self, content: str | list[str | Block], thought: str, id: str | None) -> Iterator[ChatGenerationChunk]:
        if content or thought:
            also = {THOUGHT: thought} if thought else {}
            yield ChatGenerationChunk(message=AIMessageChunk(content=content, id=id, additional_kwargs=also))  # pyright: ignore[reportArgumentType]

    def _read(self, text: str) -> tuple[str, str]:
        return self._pieces(self._reader.feed(text)) if self._reader is not None else (text, "")

    def _rest(self) -> tuple[str, str]:
        return self._pieces(self._reader.close()) if self._reader is not None else ("", "")

    def _pieces(self, pieces: Iterator[Piece | ToolCall]) -> tuple[str, str]:
        """Text and thought of what was read; calls are kept."""
        text, thought = "", ""
        for piece in pieces:
            if isinstance(piece, ToolCall):
                self._calls.append(piece)
            elif piece.kind == "thought":
                thought += piece.text
            else:
                text += piece.text
        return text, thought

    def _read_calls(self, message: AIMessageChunk, cut: bool) -> tuple[list[Block], str]:
        """The turn's calls as chunks, and what is wrong with the turn."""
        calls = [(call, "") for call in self._calls]
        because = ", cut at the limit of its tokens" if cut else ""
        for call in message.tool_call_chunks:
            try:
                calls.append((_call(call["name"], call["args"]), call["id"] or ""))
            except MalformedTurn as error:
                return [], f"Got {error.got}{because}. {EXPECTED}"
        if self._reader is not None and self._reader.fault:
            return [], self._reader.fault
        if not calls and not self._speaks:
            return [], f"Got a turn that says nothing{because}. {EXPECTED}"
        return [_chunk_of(call, name, place) for place, (call, name) in enumerate(calls)], ""


def chunks_of(result: ChatResult, incoming: ReplyReader) -> list[ChatGenerationChunk]:
    """A turn that came whole, as `incoming` reads it."""
    first = result.generations[0]
    message = cast(AIMessage, first.message)
    came = AIMessageChunk(
        content=message.content,  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        id=message.id,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        tool_calls=message.tool_calls,
        invalid_tool_calls=message.invalid_tool_calls,
    )
    passed = list(incoming.feed(ChatGenerationChunk(message=came, generation_info=first.generation_info)))
    return [*passed, *incoming.close(result.llm_output)]


def no_message(error: ValidationError) -> ChatResult:
    """The turn that LangChain could make no message of, because of a call whose arguments are JSON but no object.

    Raises the error where something else is wrong.
    """
    first = error.errors()[0]
    if error.title != AIMessage.__name__ or first["loc"][:1] != ("tool_calls",):
        raise error
    unread = InvalidToolCall(
        type="invalid_tool_call", name=None, args=json.dumps(first["input"], default=str), id=None, error=first["msg"]
    )
    return ChatResult(generations=[ChatGeneration(message=AIMessage("", invalid_tool_calls=[unread]))])


def merged(chunks: Sequence[ChatGenerationChunk]) -> ChatResult:
    """The turn that chunks make together."""
    merged = merge_chat_generation_chunks(list(chunks))
    assert merged is not None
    message = message_chunk_to_message(cast(AIMessageChunk, merged.message))
    return ChatResult(generations=[ChatGeneration(message=message)])


def _block(block: str | Block) -> Block:
    """A content block; a refusal is what the model says."""
    if isinstance(block, str):
        return {"type": "text", "text": block}
    if block.get("type") == "refusal":
        return {"type": "text", "text": str(block.get("refusal", ""))}
    return {"type": "", **block}


def _call(name: str | None, arguments: str | None) -> ToolCall:
    """A call whose arguments are all JSON, not what could be mended of it. Raises MalformedTurn."""
    return read_call(f'{{"name": {json.dumps(name or "")}, "arguments": {arguments or "{}"}}}')


def _chunk_of(call: ToolCall, name: str, place: int) -> Block:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    name = name or f"call_{uuid4().hex[:24]}"
    return {"type": "tool_call_chunk", "name": call.name, "args": arguments, "id": name, "index": place}


def _cut(metadata: Mapping[str, Any]) -> bool:
    incomplete: object = metadata.get("incomplete_details")
    why = cast("Mapping[str, Any]", incomplete).get("reason") if isinstance(incomplete, Mapping) else None
    return any(metadata.get(name) in CUT for name in FINISH) or why in CUT
