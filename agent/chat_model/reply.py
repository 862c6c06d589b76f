"""From what a policy sampled to LangChain's message, at once or in chunks.

The text is what stands outside thoughts and calls; a thought goes where LangChain keeps reasoning. A call that cannot
be read, and a tag where none belongs, stay in the text as they were written, and `fault` says what is wrong. The
message carries the id of its sample, in its metadata and as its own id, and nothing else of the record.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata

from agent.chat_model.reading import Piece, Reader, Until
from agent.chat_model.said import SAMPLE, THOUGHT
from agent.encoder import Encoder
from agent.policies.policy import Completion
from tools.calls import ToolCall

FAULT = "fault"
"""Where `response_metadata` says what is wrong with a turn that is malformed, and how to mend it."""


class Reply:
    """One turn as it comes: ids in, pieces of a message out."""

    def __init__(self, sample: str, encoder: Encoder, reader: Reader, stops: Sequence[str] = ()) -> None:
        self.sample = sample
        self._encoder = encoder
        self._reader = reader
        self._until = Until(stops)
        self._ids: list[int] = []
        self._text = ""
        """What all ids say."""
        self._decoded = ""
        self._calls = 0

    def feed(self, ids: Sequence[int]) -> Iterator[AIMessageChunk]:
        """Chunks of what is certain with these ids."""
        self._ids += ids
        text = self._text = self._encoder.decode_turn(self._ids)
        if text.endswith("\ufffd") or not text.startswith(self._decoded):
            return  # half a character, or one that its neighbour changes: wait for the next id
        new, self._decoded = text[len(self._decoded) :], text
        yield from self._chunks(self._reader.feed(self._until.feed(new)))

    def close(self, completion: Completion, prompt_tokens: int, model: str) -> Iterator[AIMessageChunk]:
        """The rest, and last of all what is known about the whole turn."""
        text = self._text
        rest = text[len(self._decoded) :] if text.startswith(self._decoded) else ""
        yield from self._chunks(self._reader.feed(self._until.feed(rest) + self._until.close()))
        yield from self._chunks(self._reader.close(self._until.met))
        metadata: dict[str, Any] = {
            SAMPLE: self.sample,
            "model_name": model,
            "versions": list(completion.versions),
            "finish_reason": completion.finish_reason,
        }
        if self._reader.fault:
            metadata[FAULT] = self._reader.fault
        sampled = len(completion.token_ids)
        usage = UsageMetadata(input_tokens=prompt_tokens, output_tokens=sampled, total_tokens=prompt_tokens + sampled)
        yield AIMessageChunk(
            content="", id=self.sample, response_metadata=metadata, usage_metadata=usage, chunk_position="last"
        )

    def _chunks(self, pieces: Iterator[Piece | ToolCall]) -> Iterator[AIMessageChunk]:
        for piece in pieces:
            if isinstance(piece, ToolCall):
                call: dict[str, Any] = {"index": self._calls, "type": "tool_call_chunk"}
                call |= {"id": f"call-{self.sample[-24:]}-{self._calls}", "name": piece.name}
                call["args"] = json.dumps(piece.arguments, ensure_ascii=False)
                self._calls += 1
                yield AIMessageChunk(content="", id=self.sample, tool_call_chunks=[call])  # pyright: ignore[reportArgumentType]
            elif piece.kind == "thought":
                yield AIMessageChunk(content="", id=self.sample, additional_kwargs={THOUGHT: piece.text})
            else:
                yield AIMessageChunk(content=piece.text, id=self.sample)


def whole(chunks: Sequence[AIMessageChunk]) -> AIMessage:
    """The message that chunks make together."""
    text = "".join(str(chunk.content) for chunk in chunks)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    thought = "".join(chunk.additional_kwargs.get(THOUGHT, "") for chunk in chunks)
    calls = [call for chunk in chunks for call in chunk.tool_calls]
    last = chunks[-1]
    return AIMessage(
        content=text,
        id=last.id,
        tool_calls=calls,
        additional_kwargs={THOUGHT: thought} if thought else {},
        response_metadata=last.response_metadata,
        usage_metadata=last.usage_metadata,
    )
