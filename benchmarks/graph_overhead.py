"""What a step of the reasoning graph costs beside a step of the barest thing that LangGraph runs. No model, no server.

Ours is the reasoning graph on a script, less the script's own time, with a tool that takes none: in an episode, as in
training, and outside, where an application's turns are kept on disk. Beside it a plain `StateGraph` of the same shape
whose nodes return a constant, and LangGraph's prebuilt loop of a model and a `ToolNode`.
They are run in turns, so that whatever else the machine does meets all alike. On a machine with other work, read the
processor time: it counts what all threads of this process did, and not how long they had to wait for a core.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from PIL.Image import Image
from tqdm import trange

from agent.chat.families.family import Family
from agent.chat.loading import family_in
from agent.chat.record.episode import Episode
from agent.limits import Limits
from agent.policies.policy import Completion, Policy, Sampling
from agent.policies.scripted import ScriptedPolicy
from agent.protocol import Turn
from benchmarks import finding
from graphs.app.chat_model import chat_model
from graphs.app.default_checkpoint import default_folder
from graphs.reasoning import factory
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.toolbox import ToolCall

TURNS = 16
NODES = ("reason", "select_tool", "execute", "integrate")
PLAIN = "a plain StateGraph"


@dataclass(frozen=True)
class Cost:
    """Seconds of a step."""

    wall: float
    processor: float


Work = Callable[[], Awaitable[Cost]]
"""Runs an episode and returns the seconds of a step of it."""


class Watch:
    """Takes time, less that of the script."""

    def __init__(self) -> None:
        self._began = Cost(time.perf_counter(), time.process_time())
        self._less = Cost(0.0, 0.0)

    def less(self, cost: Cost) -> None:
        """Takes something off."""
        self._less = Cost(self._less.wall + cost.wall, self._less.processor + cost.processor)

    def over(self, steps: int) -> Cost:
        """The time since it was made, over so many steps."""
        wall = time.perf_counter() - self._began.wall - self._less.wall
        return Cost(wall / steps, (time.process_time() - self._began.processor - self._less.processor) / steps)


class Watched:
    """A policy whose own time is taken off."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.watch = Watch()

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The policy's completion."""
        own = Watch()
        completion = await self._policy.generate(token_ids, images, sampling)
        self.watch.less(own.over(1))
        return completion


class Count(TypedDict):
    """State of the plain graph."""

    turns: int


def plain_step() -> Work:
    """A graph with our nodes' names and nothing in them."""

    async def count(state: Count) -> dict[str, int]:
        return {"turns": state["turns"] + 1}

    graph: Any = StateGraph(Count)
    for name in NODES:
        graph.add_node(name, count)
    graph.add_edge(START, NODES[0])
    for before, after in pairwise(NODES):
        graph.add_edge(before, after)
    steps = TURNS * len(NODES)
    graph.add_conditional_edges(NODES[-1], lambda state: END if state["turns"] >= steps else NODES[0], [END, NODES[0]])
    compiled = graph.compile()

    async def episode() -> Cost:
        watch = Watch()
        await compiled.ainvoke({"turns": 0})
        return watch.over(steps)

    return episode


def prebuilt_step() -> Work:
    """LangGraph's own loop of a model node and a ToolNode."""

    @tool
    def note(text: str) -> str:
        """Note something."""
        return text

    async def model(state: MessagesState) -> dict[str, Any]:
        turn = len(state["messages"]) // 2
        call = {"name": "note", "args": {"text": "a"}, "id": str(turn)}
        return {"messages": [AIMessage("", tool_calls=[call] if turn < TURNS else [])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("model", model)
    graph.add_node("tools", ToolNode([note]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    graph.add_edge("tools", "model")
    compiled = graph.compile()

    async def episode() -> Cost:
        watch = Watch()
        await compiled.ainvoke({"messages": [("user", "go")]})
        return watch.over(2 * TURNS)

    return episode


def our_steps(family: Family, folder: str) -> tuple[Work, Work]:
    """The reasoning graph with a tool that takes no time, in an episode and outside."""

    @tool
    def note(text: str) -> str:
        """Note something."""
        return text

    look = Turn("I must look.", calls=(ToolCall(name="note", arguments={"text": "a"}),))
    script = Watched(ScriptedPolicy([look] * TURNS + [Turn("I can see it.", answer="cystic")], family))
    store = ImageStore(folder)
    question = {"images": [store.put(MedicalImage(np.zeros((64, 64), np.uint8)))], "question": "What is it?"}
    graph = factory(chat_model(script, family, store, Limits(context=16384)), [note], turns=TURNS + 1)

    async def asked() -> Cost:
        script.watch = Watch()
        state = await graph.ainvoke(question)
        assert state["outcome"] == "answered" and len(state["calls"]) == TURNS
        return script.watch.over(TURNS * len(NODES) + 3)

    async def recorded() -> Cost:
        with Episode().recording():
            return await asked()

    return recorded, asked


async def measure(family: Family, repeats: int) -> list[tuple[str, float, float]]:
    """(what, ratio of wall time, ratio of processor time) to a step of the plain graph; medians over the repeats."""
    with tempfile.TemporaryDirectory() as folder:
        recorded, asked = our_steps(family, folder)
        works = {
            PLAIN: plain_step(),
            "the reasoning graph in an episode": recorded,
            "the reasoning graph, turns kept on disk": asked,
            "a prebuilt ToolNode loop": prebuilt_step(),
        }
        for work in works.values():
            await work()
        rounds = [{name: await work() for name, work in works.items()} for _ in trange(repeats, unit="round")]
    wall = {name: statistics.median(costs[name].wall for costs in rounds) for name in works}
    processor = {name: statistics.median(costs[name].processor for costs in rounds) for name in works}
    return [(name, wall[name] / wall[PLAIN], processor[name] / processor[PLAIN]) for name in works if name != PLAIN]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph_overhead", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="for its tokenizer (default: the last one)")
    parser.add_argument("--repeats", type=int, default=30, help="episodes of each kind (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: runs/benchmarks/NAME.json)")
    asked = parser.parse_args()
    found = asyncio.run(measure(family_in(asked.checkpoint or default_folder()), asked.repeats))
    rows = [(wall, processor, f"a step of {name} / a step of {PLAIN}") for name, wall, processor in found]
    print(finding.table(("wall", "processor", "of"), rows))
    ratios = {what: {"wall": wall, "processor": processor} for wall, processor, what in rows}
    print(finding.write("graph_overhead", {"ratios": ratios}, asked.out))


if __name__ == "__main__":
    main()
