"""What a thread's checkpoints weigh beside its images: an episode of eight images, on every graph that looks.

Bytes of the images (each once, in the store), of what was sampled (beside them) and of all that an application's SQLite
file holds, over the bytes of the images alone. Beside them the same conversation as most agents keep it, with images as
base64 in its messages. No model, no server: a script looks seven times and answers.
"""

import argparse
import asyncio
import base64
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from PIL.Image import Image

from agent.chat.families.family import Family
from agent.chat.loading import family_in
from agent.chat.tools import for_messages
from agent.limits import Limits
from agent.policies.policy import Completion, Sampling
from agent.protocol import Turn
from benchmarks import finding
from graphs.app import catalogue
from graphs.app.chat_model import chat_model
from graphs.app.default_checkpoint import default_folder
from graphs.app.threads import open_threads
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import ToolCall

VIEWS = 7
SIZES = ((512, 64), (1536, 640))
"""Sides of the scan and of a view, in pixels: a phantom, and a small radiograph."""
ANSWER = Turn("I can see it.", answer="cystic")
LOOKING = ("reasoning", "review", "verify")
"""Graphs whose one conversation has all eight images."""


class Looks:
    """A policy that looks at another place of the first image with each turn of a conversation, then answers."""

    def __init__(self, family: Family, side: int, view: int) -> None:
        width = round(view / side * 999)
        boxes = [[20 * number, 30 * number, 20 * number + width, 30 * number + width] for number in range(VIEWS)]
        looks = [ToolCall(name="zoom_in", arguments={"image": 1, "box": box}) for box in boxes]
        turns = [*(Turn("I must look closer.", calls=(look,)) for look in looks), ANSWER]
        self.turns = [tuple(family.encode(family.write(turn) + family.ends[0])[0]) for turn in turns]

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The turn that follows so many images."""
        del token_ids, sampling
        ids = self.turns[min(len(images), VIEWS + 1) - 1]
        return Completion(ids, (-0.1,) * len(ids), "stop", ("1",), None)


def scan(side: int) -> MedicalImage:
    """Noise, which no compression shrinks: nothing flatters the bytes."""
    return MedicalImage(np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8), spacing=(0.5, 0.5))


async def ours(name: str, family: Family, side: int, view: int) -> float:
    """The ratio of a graph of the catalogue, or of `create_agent` on the chat model."""
    with tempfile.TemporaryDirectory() as work:
        store, file = ImageStore(Path(work) / "images"), Path(work) / "threads.sqlite"
        limits = Limits(turns=2 * VIEWS, context=65536)
        model, tools = chat_model(Looks(family, side, view), family, store, limits), load_tools(["zoom_in"])
        image = store.put(scan(side))
        config: Any = {"configurable": {"thread_id": "1"}}
        async with open_threads(file) as threads:
            if name == "create_agent":
                from langchain.agents import create_agent

                agent: Any = create_agent(model, for_messages(tools, store), checkpointer=threads)
                asked = HumanMessage([{"type": "image", "file_id": image}, {"type": "text", "text": "What is it?"}])
                done = await agent.ainvoke({"messages": [asked]}, config)
                assert done["messages"][-1].text == "cystic"
            else:
                graph = catalogue.graphs()[name].compiled(model, tools, turns=limits.turns, checkpointer=threads)
                done = await graph.ainvoke({"images": [image], "question": "What is it?"}, config)
                assert done["answer"] == "cystic"
        return ratio(file, store)


def ratio(file: Path, store: ImageStore) -> float:
    """Bytes of the checkpoints, the samples and the images, over those of the images."""
    images, samples = (sum(path.stat().st_size for path in store.folder.rglob(kind)) for kind in ("*.png", "*.zlib"))
    written = sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*"))
    return (written + samples + images) / images


async def in_messages(side: int, view: int) -> float:
    """The ratio where every image is a PNG as base64 in a message; images are counted once more, as files would be."""

    def block(image: MedicalImage) -> dict[str, Any]:
        png = io.BytesIO()
        image.display().save(png, "PNG")
        return {"type": "image", "base64": base64.b64encode(png.getvalue()).decode(), "mime_type": "image/png"}

    whole = scan(side)
    views = [whole.crop((20 * number, 30 * number, 20 * number + view, 30 * number + view)) for number in range(VIEWS)]

    async def model(state: MessagesState) -> dict[str, Any]:
        turn = len(state["messages"]) // 2
        call = {"name": "zoom_in", "args": {}, "id": str(turn)}
        return {"messages": [AIMessage("", tool_calls=[call] if turn < VIEWS else [])]}

    async def tools(state: MessagesState) -> dict[str, Any]:
        turn = len(state["messages"]) // 2 - 1
        return {"messages": [ToolMessage([block(views[turn])], tool_call_id=str(turn))]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("model", model)
    graph.add_node("tools", tools)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    graph.add_edge("tools", "model")
    with tempfile.TemporaryDirectory() as work:
        store, file = ImageStore(Path(work) / "images"), Path(work) / "threads.sqlite"
        for image in (whole, *views):
            store.put(image)
        async with open_threads(file) as threads:
            config: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": 50}
            await graph.compile(checkpointer=threads).ainvoke({"messages": [HumanMessage([block(whole)])]}, config)
        return ratio(file, store)


async def measure(family: Family) -> list[tuple[str, float]]:
    """(what, ratio) of every measurement."""
    found: list[tuple[str, float]] = []
    for side, view in SIZES:
        what = f"{side} px scan, seven {view} px views"
        found += [(f"{name}: {what}", await ours(name, family, side, view)) for name in (*LOOKING, "create_agent")]
        found.append((f"base64 in messages: {what}", await in_messages(side, view)))
    return found


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpoint_bytes", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="for its tokenizer (default: the last one)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: runs/benchmarks/NAME.json)")
    asked = parser.parse_args()
    found = asyncio.run(measure(family_in(asked.checkpoint or default_folder())))
    print(finding.table(("ratio", "of"), [(ratio, what) for what, ratio in found]))
    print(finding.write("checkpoint_bytes", {"ratios": dict(found)}, asked.out))


if __name__ == "__main__":
    main()
