"""LangGraph's `stream_mode="messages"` gives every turn of every conversation while it is sampled, by the id of its
sample; the pieces together are what was recorded."""

from collections import defaultdict

from langchain_core.messages import AIMessageChunk

from agent.chat.record.episode import Episode
from agent.question import Question
from rl.features.case import Case, expect
from rl.features.threads import run

TITLE = "streaming"


async def prove(case: Case) -> str | None:
    """One episode, from which messages are streamed."""
    found = case.opened(case.model(case.reading_policy()))
    asked = Question(images=list(case.task.images), question=case.task.question)
    pieces: dict[str, list[AIMessageChunk]] = defaultdict(list)
    with Episode().recording() as episode:
        async for _, kind, item in run(found, "streamed", asked):
            if kind == "messages" and isinstance(item[0], AIMessageChunk):
                pieces[str(item[0].id)].append(item[0])
    await case.answered(found, "streamed")
    for turn in episode.turns:
        got = pieces[turn.call.sample]
        expect(len(got) > 1, f"Got {len(got)} pieces of a turn of {turn.call.node}, expected several.")
        text = "".join(str(piece.text) for piece in got)
        said = "".join(part for part in turn.said.parts if isinstance(part, str))
        expect(text == said, f"Got {text!r} streamed of a turn of {turn.call.node}, expected {said!r}.")
        calls = [call["name"] for piece in got for call in piece.tool_call_chunks]
        expect(calls == [call.name for call in turn.said.calls], f"Got the calls {calls} streamed of {turn.said}.")
    return None
