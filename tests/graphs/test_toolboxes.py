"""A Toolbox with its wrappers on every kind of graph: the same calls run, with the same results."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from agent.chat import family_of
from agent.chat.base import ImageChatModel
from agent.chat.tools import for_messages
from agent.encoder import load_processor
from agent.limits import Limits
from agent.policies.scripted import ScriptedPolicy
from graphs import reasoning
from graphs.app.chat_model import chat_model
from graphs.parts.state import calls_in, question_message
from tools.calls import ToolCall, ToolResult
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.medical_tool import medical_tool
from tools.registry import load_tools
from tools.run.budget import Budget
from tools.run.cache import Cache
from tools.run.process import isolated
from tools.run.wrapper import Wrapper, only
from tools.toolbox import Toolbox

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "rl" / "toy" / "checkpoint"
QUESTION = "What is it?"
ANSWER = "<think>x</think><answer>cystic</answer>"
Turns = Sequence[Sequence[ToolCall]]


def model_of(turns: Turns, store: ImageStore) -> ImageChatModel:
    """The embedded policy's chat model; the conversation's nth turn makes the nth calls, or answers."""

    def script(turn: int, _: str) -> str:
        calls = turns[turn] if turn < len(turns) else ()
        said = "".join(f"<tool_call>{json.dumps(call.model_dump())}</tool_call>" for call in calls)
        return f"<think>x</think>{said}" if said else ANSWER

    family = family_of(load_processor(CHECKPOINT))
    return chat_model(ScriptedPolicy(script, family), family, store, Limits(turn_tokens=1000, context=8000))


class Reasoning:
    """Our own loop, which runs the calls of a turn together."""

    before_calls = "execute"

    def compiled(self, model: ImageChatModel, box: Toolbox, saver: Any = None) -> Any:
        return reasoning.factory(model, box, turns=9, checkpointer=saver)

    def question(self, image: str) -> dict[str, Any]:
        return {"images": [image], "question": QUESTION}


class Agent:
    """LangChain's loop, which sends each call of a turn to a task of its own."""

    before_calls = "tools"

    def compiled(self, model: ImageChatModel, box: Toolbox, saver: Any = None) -> Any:
        tools = for_messages(box, model.image_store, why_not_shown=model.why_not_shown)
        return create_agent(model, tools, checkpointer=saver)

    def question(self, image: str) -> dict[str, Any]:
        return {"messages": [question_message([image], QUESTION)]}


class ByHand(Agent):
    """A user's own graph, in which a ToolNode runs each call of a turn by itself."""

    def compiled(self, model: ImageChatModel, box: Toolbox, saver: Any = None) -> Any:
        tools = for_messages(box, model.image_store, why_not_shown=model.why_not_shown)

        async def read(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await model.bind_tools(tools).ainvoke(state["messages"])]}

        graph: Any = StateGraph(MessagesState).add_node(read).add_node("tools", ToolNode(tools))
        graph.add_edge(START, "read").add_conditional_edges("read", tools_condition).add_edge("tools", "read")
        return graph.compile(checkpointer=saver)


KINDS = [Reasoning(), Agent(), ByHand()]
by_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)


def results(state: dict[str, Any]) -> list[ToolResult]:
    """Every call's result, without how long it took."""
    found = [ToolResult.model_validate(call) for call in calls_in(state["messages"])]
    return [each.model_copy(update={"seconds": 0.0}) for each in found]


async def run(kind: Any, box: Toolbox, turns: Turns, scan: MedicalImage, store: ImageStore) -> list[ToolResult]:
    model = model_of(turns, store)
    state = await kind.compiled(model, box).ainvoke(kind.question(store.put(scan)))
    assert state["messages"][-1].text == "cystic"
    return results(state)


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


ZOOM = call("zoom_in", image=1, box=[0, 0, 499, 499])
LOOK, NOTE, WRONG = call("look", image=1), call("note", text="a"), call("look", image=9)


@dataclass
class Case:
    """Wrappers, calls, and what must come of them."""

    wrappers: Callable[[], list[Wrapper]]
    turns: Turns
    statuses: list[str]
    looked: int
    """How often the tool `look` ran."""
    max_calls: int = 4


CASES = {
    "nothing": Case(lambda: [], [[LOOK, NOTE], [WRONG, LOOK]], ["ok", "ok", "retry", "ok"], 2),
    "budget": Case(
        lambda: [Budget(3)],
        [[LOOK, WRONG, NOTE], [NOTE, LOOK, LOOK]],
        ["ok", "retry", "ok", "ok", "retry", "retry"],
        1,
    ),
    "budgets": Case(
        lambda: [Budget(1, "look"), Budget(3), only("note", Budget(9))],
        [[LOOK, LOOK, NOTE, NOTE], [NOTE]],
        ["ok", "retry", "ok", "ok", "retry"],
        1,
    ),
    "budget of one": Case(
        lambda: [only("note", Budget(1)), Budget(4)],
        [[NOTE, LOOK, NOTE, LOOK], [LOOK, LOOK]],
        ["ok", "ok", "retry", "ok", "ok", "retry"],
        3,
    ),
    "calls of a turn": Case(lambda: [], [[NOTE, LOOK, LOOK], [LOOK]], ["ok", "ok", "retry", "ok"], 2, max_calls=2),
    "cache": Case(lambda: [Cache()], [[LOOK], [NOTE, LOOK], [LOOK]], ["ok"] * 4, 1),
    "budget and cache": Case(
        lambda: [Budget(3), Cache()], [[LOOK], [LOOK, NOTE], [LOOK]], ["ok", "ok", "ok", "retry"], 1
    ),
    "deadline": Case(lambda: [], [[call("hang", image=1), LOOK], [LOOK]], ["failed", "ok", "ok"], 2),
    "warm-up": Case(lambda: [], [[call("load", image=1)] * 2, [call("load", image=1)]], ["ok"] * 3, 0),
}


def toolbox_for(case: Case) -> tuple[Toolbox, list[str]]:
    """A Toolbox, and what its tools do."""
    did: list[str] = []

    @medical_tool
    def look(image: MedicalImage) -> Evidence:
        """Look."""
        did.append("look")
        return Evidence(f"Seen image {image.number}.", (image.crop((0, 0, 64, 64)),))

    @medical_tool(deadline_s=0.2)
    def hang(image: MedicalImage) -> Evidence:
        """Hang."""
        time.sleep(2)
        return Evidence("late")

    @medical_tool(warm_up=lambda: did.append("load"))
    def load(image: MedicalImage) -> Evidence:
        """Load."""
        return Evidence(f"loaded {did}")

    @tool
    def note(text: str) -> str:
        """Note a text."""
        return f"noted {text}"

    return Toolbox([look, hang, load, note], wrappers=case.wrappers(), max_calls=case.max_calls), did


@pytest.mark.parametrize("name", CASES)
async def test_the_same_calls_run_on_every_kind_of_graph(name: str, store: ImageStore, scan: MedicalImage) -> None:
    case, found = CASES[name], list[list[ToolResult]]()
    for kind in KINDS:
        box, did = toolbox_for(case)
        found.append(await run(kind, box, case.turns, scan, store))
        assert (did.count("look"), did.count("load")) == (case.looked, name == "warm-up")
    assert [each.status for each in found[0]] == case.statuses
    assert found[1] == found[0] and found[2] == found[0]


async def test_a_process_of_its_own_on_every_kind_of_graph(store: ImageStore, scan: MedicalImage) -> None:
    there = isolated(processes=1)
    here = await run(KINDS[0], Toolbox(load_tools(["zoom_in"])), [[ZOOM], [ZOOM, ZOOM]], scan, store)
    for kind in KINDS:
        box = Toolbox(load_tools(["zoom_in"]), wrappers=[there], deadline_s=120)
        assert await run(kind, box, [[ZOOM], [ZOOM, ZOOM]], scan, store) == here


@by_kind
async def test_a_budget_outlives_an_interrupt_and_the_process_and_a_fork_has_what_its_past_left(
    kind: Any, store: ImageStore, scan: MedicalImage, tmp_path: Path
) -> None:
    """The thread waits before each turn's calls, for the next process; the budget has four calls."""
    turns = [[ZOOM], [ZOOM, ZOOM], [ZOOM, ZOOM, ZOOM]]
    config: Any = {"configurable": {"thread_id": "1"}}

    async def opened(given: Any, at: Any = config, wait: bool = True) -> tuple[list[str], list[Any]]:
        """All anew: store, model, Toolbox, graph, checkpointer."""
        model = model_of(turns, ImageStore(store.folder))
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
            graph = kind.compiled(model, Toolbox(load_tools(["zoom_in"]), wrappers=[Budget(4)]), saver)
            state = await graph.ainvoke(given, at, interrupt_before=[kind.before_calls] if wait else None)
            past = [each async for each in graph.aget_state_history(config)]
            return [each.status for each in results(state)], past

    assert (await opened(kind.question(store.put(scan))))[0] == []
    assert (await opened(None))[0] == ["ok"]
    statuses, past = await opened(None)
    assert statuses == ["ok"] * 3
    forked = next(each for each in past if len(results(each.values)) == 1 and set(each.next) == {kind.before_calls})
    assert (await opened(None, wait=False))[0] == ["ok"] * 4 + ["retry"] * 2
    assert (await opened(None, forked.config, wait=False))[0] == ["ok"] * 4 + ["retry"] * 2


ON_RAY = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_toolboxes import *
from rl.processes.ray_cluster import own_ray
from tools.run.ray import on_ray

async def compare(folder, scan):
    store = ImageStore(folder)
    here = await run(KINDS[0], Toolbox(load_tools(["zoom_in"])), [[ZOOM, ZOOM]], scan, store)
    box = Toolbox(load_tools(["zoom_in"]), wrappers=[on_ray(num_cpus=1)], deadline_s=200)
    for kind in KINDS:
        print(">", await run(kind, box, [[ZOOM, ZOOM]], scan, store) == here)

with own_ray(Path(sys.argv[2]), num_cpus=1, log_to_driver=False):
    asyncio.run(compare(sys.argv[1], MedicalImage(__import__("numpy").zeros((256, 256), "uint8"))))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_ray_actor_on_every_kind_of_graph(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # a socket's path must be short
        command = [sys.executable, "-c", ON_RAY, str(tmp_path / "store"), folder, str(Path(__file__).parent)]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=800, check=False)
    assert ended.returncode == 0, ended.stderr
    assert [line for line in ended.stdout.splitlines() if line.startswith(">")] == ["> True"] * 3
