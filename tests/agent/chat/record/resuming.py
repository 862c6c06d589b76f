"""A graph that pauses for a person, in a process of its own: `python resuming.py FOLDER MESSAGES WORDS...`.

Its policy samples one id a character, as no tokenizer writes that text; the prompts that it was given are printed.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from agent import prompt
from agent.chat import PolicyChatModel, family_of
from agent.encoder import Encoder, load_processor
from agent.policies.policy import Completion
from graphs.app.threads import open_threads
from tools.images.store import ImageStore

CONFIG: Any = {"configurable": {"thread_id": "1"}}
CHECKPOINT = Path(__file__).parents[4] / "rl" / "toy" / "checkpoint"


class Spelling:
    """A policy that answers with the number of its call, letter by letter."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.prompts: list[list[int]] = []

    async def generate(self, token_ids: Sequence[int], *_: Any) -> Completion:
        self.prompts.append(list(token_ids))
        text = f"<think>Look {len(self.prompts)}.</think><answer>cystic</answer>"
        ids = (*(self.encoder.encode(each)[0][0] for each in text), self.encoder.end_of_turn)
        return Completion(ids, (-0.1,) * len(ids), "stop", ("v1",), None)


def graph_of(model: Any, threads: Any) -> Any:
    """Reads, waits for a person, reads again, for ever."""

    async def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def person(state: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage(interrupt("What now?"))]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node(read)
    graph.add_node(person)
    graph.add_edge(START, "read")
    graph.add_conditional_edges("read", lambda state: END if len(state["messages"]) > 40 else "person")
    graph.add_edge("person", "read")
    return graph.compile(checkpointer=threads)


async def go_on(folder: Path, said: Sequence[Any], at_messages: int | None = None, **fields: Any) -> list[list[int]]:
    """The prompts of the policy while a thread goes on; `at_messages`: from the checkpoint that held so many."""
    family = family_of(load_processor(CHECKPOINT))
    policy = Spelling(family)
    model = PolicyChatModel(policy=policy, family=family, store=ImageStore(folder / "images"), context=10**6, **fields)
    async with open_threads(folder / "threads.sqlite") as threads:
        graph = graph_of(model, threads)
        config = CONFIG
        if at_messages is not None:
            found = [each async for each in graph.aget_state_history(CONFIG)]
            config = next(e.config for e in found if e.next == ("person",) and len(e.values["messages"]) == at_messages)
        for each in said:
            await graph.ainvoke(each if isinstance(each, dict) else Command(resume=each), config)
            config = CONFIG
    return policy.prompts


if __name__ == "__main__":
    prompt.RESEARCH_USE = "You are another version of the code."
    place, *rest = sys.argv[1:]
    messages = int(rest.pop(0)) or None
    print(json.dumps(asyncio.run(go_on(Path(place), rest, messages))))
