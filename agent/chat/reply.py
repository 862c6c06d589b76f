"""From what a policy sampled to LangChain's message, at once or in chunks.

The text is what stands outside thoughts and calls; a thought goes where LangChain keeps reasoning. A call that cannot
be read, and a tag where none belongs, stay in the text as they were written, and `fault` says what is wrong. The
message carries the id of its sample, in its metadata and as its own id, and nothing else of the record.
"""

import json
from collections.abc import Iterator, Sequence

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages import ToolCall as Called
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk

from agent.chat.messages import SAMPLE, THOUGHT
from agent.chat.turn_reader import Piece, Reader, Until
from agent.encoder import Encoder
from agent.policies.policy import Completion
from tools.calls import ToolCall

FAULT = "fault"
"""Where `response_metadata` says what is wrong with a turn that is malformed, and how to mend it."""


class Reply:
    """One turn as it comes: ids in, what it says out."""

    def __init__(self, sample: str, encoder: Encoder, reader: Reader, stops: Sequence[str] = ()) -> None:
        self.sample = sample
        self._encoder = encoder
        self._reader = reader
        self._until = Until(stops)
        self._ids: list[int] = []
        self._text = ""
        """What all ids say."""
        self._decoded = ""

    def feed(self, ids: Sequence[int]) -> Iterator[Piece | ToolCall]:
        """What is certain with these ids."""
        self._ids += ids
        text = self._text = self._encoder.decode_turn(self._ids)
        if text.endswith("\ufffd") or not text.startswith(self._decoded):
            return  # half a character, or one that its neighbour changes: wait for the next id
        new, self._decoded = text[len(self._decoded) :], text
        yield from self._reader.feed(self._until.feed(new))

    def close(self) -> Iterator[Piece | ToolCall]:
        """The rest, once all ids are there."""
        text = self._text
        rest = text[len(self._decoded) :] if text.startswith(self._decoded) else ""
        yield from self._reader.feed(self._until.feed(rest) + self._until.close())
        yield from self._reader.close(self._until.met)

    def message(
        self, pieces: Sequence[Piece | ToolCall], completion: Completion, prompt_tokens: int, model: str
    ) -> AIMessage:
        """The closed turn whose `pieces` these are, with what is known about it."""
        calls = [piece for piece in pieces if isinstance(piece, ToolCall)]
        thought = "".join(piece.text for piece in pieces if isinstance(piece, Piece) and piece.kind == "thought")
        metadata = {SAMPLE: self.sample, "model_name": model, "versions": list(completion.versions)}
        metadata["finish_reason"] = completion.finish_reason
        if self._reader.fault:
            metadata[FAULT] = self._reader.fault
        sampled = len(completion.token_ids)
        return AIMessage(
            content="".join(piece.text for piece in pieces if isinstance(piece, Piece) and piece.kind != "thought"),
            id=self.sample,
            tool_calls=[
                Called(name=call.name, args=call.arguments, id=call_id(self.sample, place), type="tool_call")
                for place, call in enumerate(calls)
            ],
            additional_kwargs={THOUGHT: thought} if thought else {},
            response_metadata=metadata,
            usage_metadata=UsageMetadata(
                input_tokens=prompt_tokens, output_tokens=sampled, total_tokens=prompt_tokens + sampled
            ),
        )


class Chunks:
    """The same turn for those who listen to it as it comes; LangChain makes the same message of them."""

    def __init__(self, sample: str) -> None:
        self._sample = sample
        self._calls = 0

    def of(self, piece: Piece | ToolCall) -> AIMessageChunk:
        """The chunk of one piece."""
        if isinstance(piece, Piece):
            if piece.kind == "thought":
                return AIMessageChunk(content="", id=self._sample, additional_kwargs={THOUGHT: piece.text})
            return AIMessageChunk(content=piece.text, id=self._sample)
        arguments = json.dumps(piece.arguments, ensure_ascii=False)
        name, place = call_id(self._sample, self._calls), self._calls
        self._calls += 1
        call = tool_call_chunk(name=piece.name, args=arguments, id=name, index=place)
        return AIMessageChunk(content="", id=self._sample, tool_call_chunks=[call])

    def last(self, message: AIMessage) -> AIMessageChunk:
        """The last chunk: what is known about the whole turn, which is `message`."""
        known, used = message.response_metadata, message.usage_metadata
        return AIMessageChunk(
            content="", id=self._sample, response_metadata=known, usage_metadata=used, chunk_position="last"
        )


def call_id(sample: str, place: int) -> str:
    """The id of a turn's call, from 0."""
    return f"call-{sample[-24:]}-{place}"
