"""What running tool calls costs, beside LangGraph's `ToolNode` with the very same tools. No model, no server.

- Four tools of 100 ms in one turn: milliseconds, beside `ToolNode`, and beside one bare sleep of 100 ms in a thread,
  the least that this machine can do just now.
- A cache hit: milliseconds from a call of zoom_in to its result, beside the same call without a cache.
- Dispatch overhead per call: a compiled graph of one node that runs tools which do nothing, less the same graph with a
  node that does nothing. Ours is what the node `execute` of the reasoning graph does: calls, images and what was spent
  are read off the messages, and results become messages. Beside it, the same Toolbox in a `ToolNode` (`for_messages`).

Everything is measured in turns, so that whatever else the machine does meets all alike. Medians, with 95 % bootstrap
intervals over the rounds. On a machine with other work, read CPU time: it counts what all threads of this process did
and not how long they had to wait for a core.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import BaseTool, tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from tqdm import trange

from agent.chat.images import MessageImages, image_block
from agent.chat.tools import for_messages, images_shown, run_calls, spent_in, tool_message
from benchmarks import finding
from rl.evaluation.statistics import COVERED, Estimate
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.medical_tool import medical_tool
from tools.registry import load_tools
from tools.run.cache import Cache
from tools.toolbox import Toolbox, ToolCall

WAIT_S = 0.1
FOUR = 4
RESAMPLES = 2_000
HIT = {"image": 1, "box": [200, 200, 600, 600]}

Work = Callable[[], Awaitable[object]]
Rounds = Mapping[str, "list[Cost]"]


@dataclass(frozen=True)
class Cost:
    """What one run took, in seconds."""

    wall: float
    cpu: float
    """Of all threads of this process."""


@tool
def note(text: str) -> str:
    """Note something."""
    return text


@tool
async def note_async(text: str) -> str:
    """Note something, asynchronously."""
    return text


def tools_that_wait() -> tuple[BaseTool, BaseTool]:
    """A tool that takes 100 ms, and a medical one that does nothing."""

    @tool
    def wait() -> str:
        """Take 100 ms."""
        time.sleep(WAIT_S)
        return "done"

    @medical_tool
    def glance(image: MedicalImage) -> Evidence:
        """Do nothing with an image."""
        return Evidence("seen")

    return wait, glance


def work_of(node: Any, images: Sequence[str], looked_at: Sequence[MedicalImage]) -> Callable[..., Work]:
    """Makes work of a graph of one node that runs calls; without a tool's name, of a node that does nothing."""

    async def nothing(state: MessagesState) -> dict[str, Any]:
        return {}

    graphs = [_one_node(each) for each in (node, nothing)]
    shown = HumanMessage(list(map(image_block, images)))

    def work(name: str, arguments: dict[str, Any], calls: int) -> Work:
        graph = graphs[0] if name else graphs[1]

        async def run() -> None:
            asked = [{"name": name or "none", "args": arguments, "id": str(each)} for each in range(calls)]
            state = await graph.ainvoke(
                {"messages": [shown, AIMessage("", tool_calls=asked)]}, {"configurable": {"images": looked_at}}
            )
            assert not name or [each.status for each in state["messages"][2:]] == ["success"] * calls

        return run

    return work


def our_node(box: Toolbox, store: ImageStore) -> Any:
    """What the reasoning graph does between a turn and the next."""
    pictures = MessageImages(store)

    async def execute(state: MessagesState) -> dict[str, Any]:
        messages = state["messages"]
        asked = cast(AIMessage, messages[-1]).tool_calls
        calls = [ToolCall(name=call["name"], arguments=call["args"]) for call in asked]
        images, spent = images_shown(messages, pictures), spent_in(messages, box.names)
        ran = await run_calls(box, calls, images, store, spent)
        return {"messages": [tool_message(each, str(call["id"])) for each, call in zip(ran, asked, strict=True)]}

    return execute


def _one_node(node: Any) -> Any:
    graph: Any = StateGraph(MessagesState)
    graph.add_node("tools", node)
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    return graph.compile()


async def one_sleep() -> None:
    """A thread that sleeps 100 ms, and nothing else."""
    await asyncio.to_thread(time.sleep, WAIT_S)


async def interleaved(works: Mapping[str, Work], rounds: int) -> Rounds:
    """The costs of each work in every round; each ran once before."""
    for work in works.values():
        await work()
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    for _ in trange(rounds, desc=" ".join(next(iter(works)).split()[:2])):
        for name, work in works.items():
            cpu, wall = time.process_time(), time.perf_counter()
            await work()
            costs[name].append(Cost(time.perf_counter() - wall, time.process_time() - cpu))
    return costs


def median(costs: Sequence[Cost]) -> Estimate:
    """The median wall time in milliseconds."""
    return _bootstrap([[1e3 * cost.wall for cost in costs]], lambda values: values[0])


def overhead_ratio(rounds: Rounds, case: str, clock: str, whose: str = "ours") -> Estimate:
    """Our median overhead over ToolNode's, each less its own graph with a node that does nothing."""
    columns = [
        [getattr(cost, clock) for cost in rounds[f"{case} {name}"]]
        for name in (whose, "our graph", "ToolNode", "its graph")
    ]
    return _bootstrap(columns, lambda values: (values[0] - values[1]) / (values[2] - values[3]))


def _bootstrap(columns: Sequence[Sequence[float]], figure: Callable[[Sequence[float]], float]) -> Estimate:
    """`figure` of the columns' medians, with its interval; a round's values stay together."""
    table = np.asarray(columns)
    draws = np.random.default_rng(0).integers(0, table.shape[1], (RESAMPLES, table.shape[1]))
    resampled = [figure(np.median(table[:, draw], axis=1)) for draw in draws]
    low, high = np.percentile(resampled, COVERED)
    return Estimate(float(figure(np.median(table, axis=1))), float(low), float(high), table.shape[1])


async def measure(rounds: int, folder: str) -> list[tuple[str, Estimate, str]]:
    """(what, figure, goal) of every measurement."""
    store = ImageStore(folder)
    scan = MedicalImage(np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8))
    images = [store.put(scan)]
    wait, glance = tools_that_wait()
    zoom_in = load_tools(["zoom_in"])
    tools = [wait, glance, note, note_async]
    ours = work_of(our_node(Toolbox(tools), store), images, [scan])
    joined = work_of(ToolNode(for_messages(Toolbox(tools), store)), images, [scan])
    theirs = work_of(ToolNode(tools), images, [scan])

    four = await interleaved(
        {
            "four tools, ours": ours("wait", {}, FOUR),
            "four tools, our Toolbox in a ToolNode": joined("wait", {}, FOUR),
            "four tools, ToolNode": theirs("wait", {}, FOUR),
            "four tools: one bare sleep": one_sleep,
        },
        max(10, rounds // 10),
    )

    def zoom(box: Toolbox) -> Work:
        return lambda: box.run([ToolCall(name="zoom_in", arguments=HIT)], images, store)

    hits = await interleaved(
        {"cache hit": zoom(Toolbox(zoom_in, wrappers=[Cache()])), "cache: the call without": zoom(Toolbox(zoom_in))},
        rounds,
    )
    goals = {"four tools, ours": "<= 105", "cache hit": "<= 0.2"}
    found = [(f"{name} (ms)", median(costs), goals.get(name, "")) for name, costs in {**four, **hits}.items()]
    sleeps = [[cost.wall for cost in four[name]] for name in ("four tools, ours", "four tools: one bare sleep")]
    found.append(("four tools, ours / one bare sleep", _bootstrap(sleeps, lambda values: values[0] / values[1]), ""))
    for name, arguments in (("note", {"text": "a"}), ("note_async", {"text": "a"}), ("glance", {"image": 1})):
        for calls in (1, FOUR):
            case = f"{name} x {calls}"
            costs = await interleaved(
                {
                    f"{case} ours": ours(name, arguments, calls),
                    f"{case} joined": joined(name, arguments, calls),
                    f"{case} our graph": ours("", arguments, calls),
                    f"{case} ToolNode": theirs(name, arguments, calls),
                    f"{case} its graph": theirs("", arguments, calls),
                },
                rounds,
            )
            for clock in ("wall", "cpu"):
                what = f"overhead of {case} / ToolNode's, {clock} time"
                found.append((what, overhead_ratio(costs, case, clock), "< 1"))
                found.append((f"{what}, our Toolbox in a ToolNode", overhead_ratio(costs, case, clock, "joined"), ""))
    return found


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tool_dispatch", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="runs of each kind (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: runs/benchmarks/NAME.json)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(asked.rounds, folder))
    rows = [(each.mean, f"{each.low:.3g} to {each.high:.3g}", goal, what) for what, each, goal in found]
    print(finding.table(("median", "95 % interval", "goal", "of"), rows))
    figures = {what: {"median": each.mean, "ci95": each.ci95, "n": each.n, "goal": goal} for what, each, goal in found}
    print(finding.write("tool_dispatch", {"figures": figures}, asked.out))


if __name__ == "__main__":
    main()
