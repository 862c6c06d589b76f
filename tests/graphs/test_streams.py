"""Every stream mode of LangGraph on every graph that ships."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Command

from agent.chat.families.family import Family
from graphs.app import catalogue
from graphs.app.chat_model import chat_model
from graphs.app.threads import open_threads
from tests.answering import LOOK, Answers, answer
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools

MODES = ["values", "updates", "messages", "custom", "checkpoints", "tasks", "debug"]
TURNS = {"reasoning": 2, "no_tools": 1, "review": 2, "verify": 3, "second_opinion": 5, "compare_prior": 5}
"""Of the policy, which looks once in each conversation and then answers: verify looks again in the same one."""
LOOKS = {"reasoning": 1, "no_tools": 0, "review": 1, "verify": 1, "second_opinion": 2, "compare_prior": 2}


def answering(chat: str) -> str:
    return answer("cystic") if "Closer" in chat or "Tools:" not in chat else LOOK


@pytest.mark.parametrize("name", sorted(TURNS))
async def test_every_stream_mode(
    name: str, encoder: Family, store: ImageStore, scan: MedicalImage, tmp_path: Path
) -> None:
    policy = Answers(answering, encoder)
    config: Any = {"configurable": {"thread_id": "1"}}
    images = [store.put(scan), store.put(scan.crop((0, 0, 100, 100)))][: 2 if name == "compare_prior" else 1]
    seen: dict[str, list[Any]] = {mode: [] for mode in MODES}
    async with open_threads(tmp_path / "threads.sqlite") as threads:
        build = catalogue.graphs()[name].compiled
        graph: Any = build(chat_model(policy, encoder, store), load_tools(["zoom_in"]), checkpointer=threads)
        asked: Any = {"images": images, "question": "What is it?"}
        while asked is not None:
            async for _, mode, item in graph.astream(asked, config, stream_mode=MODES, subgraphs=True):
                seen[mode].append(item)
            asked = Command(resume=True) if (await graph.aget_state(config)).interrupts else None
        state = (await graph.aget_state(config)).values
    assert (state["answer"], state["outcome"], state["versions"]) == ("cystic", "answered", ["v1"])
    last = [values for values in seen["values"] if "outcome" in values][-1]
    assert last["answer"] == "cystic"
    assert {node for update in seen["updates"] for node in update} >= set(NODES[name])
    chunks = [chunk for chunk, _ in seen["messages"] if chunk.type == "AIMessageChunk"]
    assert {chunk.id for chunk in chunks if chunk.text} and all(chunk.id.startswith("sample-") for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == TURNS[name]
    told = "".join(chunk.text for chunk in chunks)
    assert told == "cystic" * (TURNS[name] - LOOKS[name])
    assert [item["event"] for item in seen["custom"]].count("spoke") == TURNS[name]
    looks = [item for item in seen["custom"] if item["event"] == "looked"]
    assert [(item["tool"], item["status"], len(item["images"])) for item in looks] == [("zoom_in", "ok", 1)] * LOOKS[
        name
    ]
    assert all(item["versions"] == ["v1"] for item in seen["custom"] if item["event"] == "spoke")
    assert seen["checkpoints"][-1]["values"]["answer"] == "cystic"
    assert {task["name"] for task in seen["tasks"]} >= set(NODES[name])
    assert {item["type"] for item in seen["debug"]} == {"checkpoint", "task", "task_result"}


NODES = {
    "reasoning": ["reason", "select_tool", "execute", "integrate", "answer"],
    "no_tools": ["answer"],
    "review": ["answer", "person", "reason", "execute"],
    "verify": ["answer", "verify", "reason", "execute"],
    "second_opinion": ["opinion", "adjudicate", "reason", "execute"],
    "compare_prior": ["study", "compare", "reason", "execute"],
}


@pytest.mark.parametrize("name", ["reasoning", "verify"])
async def test_events_name_the_models_turns(name: str, encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    """`astream_events`, which tracers and web servers read."""
    build = catalogue.graphs()[name].compiled
    graph = build(chat_model(Answers(answering, encoder), encoder, store), load_tools(["zoom_in"]))
    asked = {"images": [store.put(scan)], "question": "What is it?"}
    kinds = [event["event"] async for event in graph.astream_events(asked, version="v2")]
    assert kinds.count("on_chat_model_start") == kinds.count("on_chat_model_end") == TURNS[name]
    assert kinds.count("on_chat_model_stream") > TURNS[name]


async def test_who_does_not_listen_pays_nothing(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    """The reasoning graph's policy is asked directly where nobody hears it: it need not stream."""
    policy = Answers(answering, encoder)
    streams: list[int] = []

    class Streaming(Answers):
        def stream(self, *_: object) -> None:
            streams.append(1)
            raise AssertionError

    build = catalogue.graphs()["reasoning"].compiled
    graph = build(chat_model(Streaming(policy.answering, encoder), encoder, store), [])
    done = await graph.ainvoke({"images": [store.put(scan)], "question": "What is it?"})
    assert (done["answer"], streams) == ("cystic", [])
