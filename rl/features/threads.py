"""A graph run in a thread, as an application runs it: pauses are answered by its adapter's person, until it ends."""

from collections.abc import AsyncIterator
from typing import Any

from langgraph.types import Command

from agent.question import Question
from rl.rollout.graph import OpenGraph


async def run(found: OpenGraph, thread: str, question: Question | None = None) -> AsyncIterator[Any]:
    """What the graph streams, (namespace, kind, item), to the end of the thread.

    Without a `question` the thread goes on where it was broken off.
    """
    config: Any = {"configurable": {"thread_id": thread}, "recursion_limit": 100}
    given: Any = None if question is None else found.adapter.to_input(question)
    if question is None:
        given = await _answers(found, config)
    while True:
        async for item in found.graph.astream(given, config, stream_mode=["messages", "values"], subgraphs=True):
            yield item
        given = await _answers(found, config)
        if given is None:
            return


async def _answers(found: OpenGraph, config: Any) -> Command[Any] | None:
    """What a person says to a thread that waits; None where it does not."""
    waiting = (await found.graph.aget_state(config)).interrupts
    return Command(resume={each.id: found.adapter.to_interrupt(each.value) for each in waiting}) if waiting else None


async def ended(found: OpenGraph, thread: str) -> Any:
    """What a thread that has ended answers."""
    state = await found.graph.aget_state({"configurable": {"thread_id": thread}})
    return found.adapter.to_answer(state.values)["answer"]
