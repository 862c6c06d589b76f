"""What the graph itself costs, against the barest thing that LangGraph runs. No model, no server.

- A step: the reasoning graph on a script, less the script's own time, over a plain `StateGraph` of the
  same shape whose nodes return a constant. LangGraph's prebuilt tool loop stands beside it.
- A checkpoint: bytes of an application's SQLite file after an episode of eight images, images included, over the bytes
  of these images once.
- Four tools of 100 ms called in one turn, over 100 ms.
- Token bookkeeping of 128 turns, over tokenising the whole chat anew at every turn; and over the time in which a server
  samples these turns' tokens, where its rate is given (or was measured by `benchmarks.rollout_throughput`).
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from PIL.Image import Image

from agent.chat_model.opening import family_in
from agent.encoder import Encoder
from agent.ledger import Ledger
from agent.limits import Limits
from agent.policies.policy import Completion, Policy, Sampling
from agent.policies.scripted import ScriptedPolicy
from agent.prompt import user_turn
from agent.protocol import Turn, render_turn
from benchmarks import finding
from graphs.checkpoint import default_folder
from graphs.reasoning import build, recursion_limit
from graphs.threads import open_threads
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox, ToolCall

TURNS = 16
STEPS_A_TURN = 4
"""reason, select_tool, execute, integrate."""
LONG_EPISODE = 128
NODES = ("reason", "select_tool", "execute", "integrate")
VIEWS = 7
"""Of one scan, so that the episode has eight images."""
ANSWER = render_turn(Turn("I can see it.", answer="cystic"))


class Stopwatch:
    """A policy that takes its own time, to be taken off."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.seconds = 0.0

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The policy's completion."""
        started = time.perf_counter()
        completion = await self._policy.generate(token_ids, images, sampling)
        self.seconds += time.perf_counter() - started
        return completion


class Count(TypedDict):
    """State of the plain graph."""

    turns: int


Work = Callable[[], Awaitable[float]]
"""Does something once and returns its seconds."""


async def medians(*works: Work, repeats: int) -> list[float]:
    """The median seconds of each, taken in turns, so that whatever else the machine does meets all alike."""
    taken = [[await work() for work in works] for _ in range(repeats + 1)]
    return [statistics.median(column) for column in zip(*taken[1:], strict=True)]


def scan(side: int) -> MedicalImage:
    """Noise, which no compression shrinks: nothing flatters the bytes."""
    return MedicalImage(np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8), spacing=(0.5, 0.5))


def plain_step() -> Work:
    """Takes the seconds of a step of a graph with our nodes' names and nothing in them."""

    async def count(state: Count) -> dict[str, int]:
        return {"turns": state["turns"] + 1}

    graph: Any = StateGraph(Count)
    for name in NODES:
        graph.add_node(name, count)
    graph.add_edge(START, NODES[0])
    for before, after in pairwise(NODES):
        graph.add_edge(before, after)
    steps = TURNS * STEPS_A_TURN
    graph.add_conditional_edges(NODES[-1], lambda state: END if state["turns"] >= steps else NODES[0], [END, NODES[0]])
    compiled = graph.compile()

    async def episode() -> float:
        started = time.perf_counter()
        await compiled.ainvoke({"turns": 0}, {"recursion_limit": 10 * steps})
        return (time.perf_counter() - started) / steps

    return episode


def prebuilt_step() -> Work:
    """Takes the seconds of a step of LangGraph's own loop of a model node and a ToolNode."""

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

    async def episode() -> float:
        started = time.perf_counter()
        await compiled.ainvoke({"messages": [("user", "go")]}, {"recursion_limit": 10 * TURNS})
        return (time.perf_counter() - started) / (2 * TURNS)

    return episode


def our_step(encoder: Encoder, folder: str) -> Work:
    """Takes the seconds of a step of the reasoning graph, less the script's own, with a tool that takes no time."""

    @tool
    def note(text: str) -> str:
        """Note something."""
        return text

    looking = render_turn(Turn("I must look.", calls=(ToolCall(name="note", arguments={"text": "a"}),)))
    limits = Limits(turns=TURNS + 1, context=16384)
    store = ImageStore(folder)
    question = {"images": [store.put(scan(512))], "question": "What type is the lesion?"}
    policy = Stopwatch(ScriptedPolicy([looking] * TURNS + [ANSWER], encoder))
    graph: Any = build(policy, [note], encoder=encoder, store=store, limits=limits)

    async def episode() -> float:
        policy.seconds, started = 0.0, time.perf_counter()
        state = await graph.ainvoke(question, recursion_limit(limits))
        assert state["outcome"] == "answered" and len(state["calls"]) == TURNS
        return (time.perf_counter() - started - policy.seconds) / (TURNS * STEPS_A_TURN + 3)

    return episode


async def checkpoint_bytes(encoder: Encoder, side: int, view: int) -> tuple[int, int]:
    """(bytes that the checkpointer wrote, bytes of the images once) of an episode with `VIEWS` views of a scan.

    `side` and `view` are the sides of the scan and of a view, in pixels.
    """
    width = round(view / side * 999)
    boxes = [[20 * number, 30 * number, 20 * number + width, 30 * number + width] for number in range(VIEWS)]
    looks = [ToolCall(name="zoom_in", arguments={"image": 1, "box": box}) for box in boxes]
    turns = [*(render_turn(Turn("I must look closer.", calls=(look,))) for look in looks), ANSWER]
    limits = Limits(turns=len(turns), context=65536)
    with tempfile.TemporaryDirectory() as work:
        store, file = ImageStore(Path(work) / "images"), Path(work) / "checkpoints.sqlite"
        policy = ScriptedPolicy(turns, encoder)
        config = RunnableConfig(configurable={"thread_id": "1"}, **recursion_limit(limits))
        async with open_threads(file) as saver:
            graph: Any = build(
                policy, load_tools(["zoom_in"]), encoder=encoder, store=store, limits=limits, checkpointer=saver
            )
            question = {"images": [store.put(scan(side))], "question": "What type is the lesion?"}
            state = await graph.ainvoke(question, config)
        assert len(set(state["images"])) == VIEWS + 1
        written = sum(path.stat().st_size for path in Path(work).glob("checkpoints.sqlite*"))
        return written, sum(store.path(image).stat().st_size for image in state["images"])


def four_tools(folder: str) -> Work:
    """Takes the seconds of one turn with four calls of a tool that takes 100 ms."""

    @tool
    def wait() -> str:
        """Take 100 ms."""
        time.sleep(0.1)
        return "done"

    toolbox = Toolbox([wait])

    async def turn() -> float:
        started = time.perf_counter()
        results = await toolbox.run([ToolCall(name="wait", arguments={})] * 4, [], ImageStore(folder))
        assert all(result.status == "ok" for result in results)
        return time.perf_counter() - started

    return turn


def long_episode(encoder: Encoder) -> tuple[Work, Work, int]:
    """All token work of 128 turns; the same if the chat were tokenised anew each turn; and how many ids are sampled."""
    look = Turn("I must look closer.", calls=(ToolCall(name="zoom_in", arguments={"image": 1, "box": [0, 0, 99, 99]}),))
    said, _ = encoder.encode(render_turn(look) + "<|im_end|>")
    completion = Completion(tuple(said), (-0.1,) * len(said), "stop", ("1",), None)
    seen = user_turn("Closer view of image 1.", "What?")

    async def bookkeeping() -> float:
        started = time.perf_counter()
        plain = Ledger().observe(encoder.encode(seen)[0]).to_plain()
        for _ in range(LONG_EPISODE):
            now = Ledger.from_plain(plain)
            now.prompt_ids()
            encoder.decode_turn(said)
            plain = now.sample(completion).to_plain()
            now = Ledger.from_plain(plain)
            plain = now.observe(*encoder.encode(seen)).to_plain()
        return time.perf_counter() - started

    async def anew() -> float:
        started = time.perf_counter()
        chat = seen
        for _ in range(LONG_EPISODE):
            encoder.encode(chat)
            chat += encoder.decode(said) + seen
        return time.perf_counter() - started

    return bookkeeping, anew, LONG_EPISODE * len(said)


def measured_rate() -> float | None:
    """Tokens per second of raw vLLM on this machine, where the throughput benchmark left them."""
    path = finding.FOLDER / "rollout_throughput.json"
    if not path.exists():
        return None
    return float(statistics.mean(json.loads(path.read_text(encoding="utf-8"))["raw_tokens_per_second"]))


async def measure(encoder: Encoder, repeats: int, rate: float | None) -> list[tuple[str, float]]:
    """(what, ratio) of every measurement."""
    few = max(3, repeats // 4)
    bookkeeping, anew, sampled = long_episode(encoder)
    with tempfile.TemporaryDirectory() as folder:
        plain, prebuilt, ours = await medians(plain_step(), prebuilt_step(), our_step(encoder, folder), repeats=repeats)
        (four,) = await medians(four_tools(folder), repeats=few)
        ledger, again = await medians(bookkeeping, anew, repeats=few)
    phantoms, views = await checkpoint_bytes(encoder, 512, 64), await checkpoint_bytes(encoder, 1536, 640)
    found = [
        ("step of the reasoning graph / plain StateGraph step", ours / plain),
        ("step of a prebuilt ToolNode loop / plain StateGraph step", prebuilt / plain),
        ("checkpoints and images / images, 512 px scan, seven 64 px views", sum(phantoms) / phantoms[1]),
        ("checkpoints and images / images, 1536 px scan, seven 640 px views", sum(views) / views[1]),
        ("four 100 ms tools in one turn / 100 ms", four / 0.1),
        (f"token bookkeeping of {LONG_EPISODE} turns / tokenising anew", ledger / again),
    ]
    if rate is not None:
        found += [
            (f"token bookkeeping of {LONG_EPISODE} turns / generation at {rate:.0f} tokens/s", ledger * rate / sampled),
            (f"tokenising anew, {LONG_EPISODE} turns / generation at {rate:.0f} tokens/s", again * rate / sampled),
        ]
    return found


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph_overhead", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="for its tokenizer (default: the last one)")
    parser.add_argument("--repeats", type=int, default=30, help="episodes of each kind (default: %(default)s)")
    parser.add_argument("--tokens-per-second", type=float, help="of the server (default: as measured here, if it was)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: runs/benchmarks/NAME.json)")
    asked = parser.parse_args()
    encoder = family_in(asked.checkpoint or default_folder())
    found = asyncio.run(measure(encoder, asked.repeats, asked.tokens_per_second or measured_rate()))
    print(finding.table(("ratio", "of"), [(ratio, what) for what, ratio in found]))
    print(finding.write("graph_overhead", {"ratios": dict(found)}, asked.out))


if __name__ == "__main__":
    main()
