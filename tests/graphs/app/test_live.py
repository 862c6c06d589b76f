"""Graphs as applications run them, on one real vLLM server: hot swaps under them, restarts, LangGraph's own server.

The policies were taught nothing: they write noise until a turn or the context is full. What is tested is what
surrounds them.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from agent.serving.checkpoint import Checkpoint, publish
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from agent.serving.server_record import read_record
from graphs.app import catalogue, connection
from graphs.app.application import Application, Settings, open_application
from graphs.app.transcript import NOTICE
from tests.graphs.app.langgraph_dev import langgraph_dev
from tests.sockets import beyond_loopback, holder, listening, with_descendants
from tools.images.image import MedicalImage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[3]
CONTEXT = 640


@dataclass(frozen=True)
class Served:
    """A server that runs in `folder` as `python -m graphs ask` leaves one, and the checkpoints that it may hold."""

    folder: Path
    versions: dict[str, Checkpoint]

    def command(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """A command of this environment, in the folder and with `versions["a"]` as its checkpoint."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "MEDVISTA_CHECKPOINT": str(self.versions["a"].folder)}
        environment |= {"MEDVISTA_CONTEXT": str(CONTEXT), "OMP_NUM_THREADS": "1", **variables}
        return subprocess.Popen(
            words, cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def live(self) -> str:
        """The version that the record names."""
        record = read_record(connection.RECORD)
        assert record is not None
        return record.versions[-1]


@pytest.fixture(scope="module")
def served(random_checkpoint: Path, processor: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Version `a` is live at first; `b` has other weights."""
    from rl.toy.model import build_model
    from rl.toy.teach import save

    folder = tmp_path_factory.mktemp("live")
    save(build_model(processor.tokenizer, seed=1), processor, folder / "other")
    versions = {
        "a": publish(random_checkpoint, folder / "versions", "a", None, {}),
        "b": publish(folder / "other", folder / "versions", "b", "a", {}),
    }
    options = ServerOptions(max_model_len=2048, environment={"OMP_NUM_THREADS": "1"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "RECORD", folder / connection.RECORD)
        with VLLMServer(versions["a"], options, log=folder / "server.log", record=connection.RECORD):
            yield Served(folder, versions)


@pytest.fixture
def scan_of_noise() -> MedicalImage:
    """64 x 64 pixels, so that several turns fit the context."""
    return MedicalImage(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))


async def test_a_hot_swap_seen_from_graphs(served: Served, scan_of_noise: MedicalImage, tmp_path: Path) -> None:
    """Episodes in flight go on and are marked mixed, new ones are on the new weights; nothing fails or restarts."""
    settings = Settings(
        checkpoint=served.versions[served.live()].folder,
        images=tmp_path / "images",
        threads=str(tmp_path / "threads.sqlite"),
        context=CONTEXT,
    )
    before, after = served.live(), "b" if served.live() == "a" else "a"
    async with open_application(settings) as application:
        asked = {"images": [application.store.put(scan_of_noise)], "question": "What is it?"}
        names = ["reasoning", "verify", "reasoning", "no_tools"]
        first = await application.graph("reasoning").ainvoke(asked, thread("first"))
        assert (application.policy.version, first["versions"]) == (before, [before])
        spoken, over = asyncio.Event(), asyncio.Event()

        async def one_after_the_other(name: str, number: int) -> list[Any]:
            ended: list[Any] = []
            while not over.is_set():
                ended.append(await episode(application, name, asked, f"{number} {len(ended)}", spoken))
            return ended

        running = [asyncio.create_task(one_after_the_other(name, number)) for number, name in enumerate(names * 2)]
        await spoken.wait()
        swapped = await asyncio.to_thread(connection.swap, served.versions[after].folder)
        assert (swapped.previous, swapped.version, application.policy.version) == (before, after, after)
        over.set()
        states = [state for ended in await asyncio.gather(*running) for state in ended]
        assert [before, after] in [state["versions"] for state in states]
        assert all(state["versions"] in ([before], [before, after], [after]) for state in states)
        fresh = [await application.graph(name).ainvoke(asked, thread(f"fresh {name}")) for name in names[:2]]
        assert [state["versions"] for state in fresh] == [[after], [after]]
        spoke = [message for message in fresh[0]["messages"] if message.type == "ai"]
        assert spoke and all(message.response_metadata["versions"] == [after] for message in spoke)
    assert served.live() == after


def thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}


async def episode(application: Application, name: str, asked: Any, number: str, spoken: asyncio.Event) -> Any:
    """The final state of an episode; `spoken` is set with its first turn, if nobody's was before."""
    graph = application.graph(name)
    async for _ in graph.astream(asked, thread(number), stream_mode="custom", subgraphs=True):
        spoken.set()
    return (await graph.aget_state(thread(number))).values


UNTIL_KILLED = """
import asyncio, json, os, signal
from graphs.app.application import open_application

async def main():
    async with open_application() as application:
        asked = {"images": [IMAGE], "question": "What is it?"}
        config = {"configurable": {"thread_id": "long"}}
        graph = application.graph("reasoning")
        async for update in graph.astream(asked, config, stream_mode="updates", durability="sync"):
            if "select_tool" in update:
                (turn,) = application.model._remembered.turns
                (row,) = application.model._remembered.rows()
                print(json.dumps([turn.completion.versions, row.ledger.ids]), flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
GOES_ON = """
import asyncio, json
from graphs.app.application import open_application

async def main():
    async with open_application() as application:
        config = {"configurable": {"thread_id": "long"}}
        state = await application.graph("reasoning").ainvoke(None, config)
        row = application.model._remembered.rows()[-1]  # what the first process sampled stands in it, read from disk
        print(json.dumps([state["versions"], row.ledger.ids, state["outcome"]]))

asyncio.run(main())
"""


def test_a_thread_survives_a_killed_process_and_a_hot_swap(served: Served, scan_of_noise: MedicalImage) -> None:
    before, after = served.live(), "b" if served.live() == "a" else "a"
    store = Application(Settings(images=served.folder / Settings().images), policy=None).store  # type: ignore[arg-type]
    code = UNTIL_KILLED.replace("IMAGE", repr(store.put(scan_of_noise)))
    live = {"MEDVISTA_CHECKPOINT": str(served.versions[before].folder)}
    killed = served.command(sys.executable, "-c", code, **live)
    said, _ = killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    versions, ids = json.loads(said)
    assert versions == [before]
    swap = served.command(sys.executable, "-m", "graphs", "swap", str(served.versions[after].folder))
    said, errors = swap.communicate(timeout=300)
    assert (said.split(":")[0], swap.returncode) == (f"{before} -> {after}", 0), errors
    live = {"MEDVISTA_CHECKPOINT": str(served.versions[after].folder)}
    second = served.command(sys.executable, "-c", GOES_ON, **live)
    said, errors = second.communicate(timeout=300)
    assert second.returncode == 0, errors
    versions, longer, outcome = json.loads(said)
    assert versions == [before, after]
    assert longer[: len(ids)] == ids and len(longer) > len(ids)
    assert outcome in ("context_full", "too_many_turns", "answered", "abstained")


def test_the_code_of_the_guide_runs(served: Served) -> None:
    """The Python of docs/applications.md, as it stands there: an application, and an agent of LangChain's."""
    (served.folder / "docs").symlink_to(ROOT / "docs")
    guide = (ROOT / "docs" / "applications.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    live = {"MEDVISTA_CHECKPOINT": str(served.versions[served.live()].folder)}
    run = served.command(sys.executable, "-c", "\n".join(blocks), **live)
    said, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    lines = said.splitlines()
    assert lines[0] == str({"event": "spoke", "versions": [served.live()]})
    assert [line.endswith(str([served.live()])) for line in lines].count(True) == 2
    assert len(blocks) == 3


@pytest.fixture
def address(served: Served) -> Iterator[str]:
    """LangGraph's own server with the graphs of langgraph.json."""
    record = read_record(connection.RECORD)
    assert record is not None
    named = {"MEDVISTA_SERVER": record.base_url, "MEDVISTA_CHECKPOINT": str(served.versions["a"].folder)}
    with langgraph_dev(served.folder, **named, MEDVISTA_CONTEXT=str(CONTEXT)) as server:
        yield server.address


async def test_langgraphs_own_server(address: str, served: Served, tmp_path: Path) -> None:
    from langgraph_sdk import get_client

    record = read_record(connection.RECORD)
    assert record is not None
    ours = [*with_descendants(holder(address)), *with_descendants(record.pid)]
    assert len(listening(ours)) >= 2 and beyond_loopback(ours) == []
    client = get_client(url=address)
    found = await client.assistants.search()
    assert sorted(each["graph_id"] for each in found) == list(catalogue.graphs())
    assistant = next(each["assistant_id"] for each in found if each["graph_id"] == "reasoning")
    schemas = await client.assistants.get_schemas(assistant)
    assert set(schemas["input_schema"]["properties"]) == {"images", "question"}

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(tmp_path / "scan.png")
    png = {"Content-Type": "image/png"}
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        put = await http.post(
            "/images", params={"spacing": "0.5,0.5"}, content=(tmp_path / "scan.png").read_bytes(), headers=png
        )
        assert (put.status_code, put.json()["width"], put.json()["notice"]) == (201, 64, NOTICE)
        image = put.json()["id"]
        shown = await http.get(f"/images/{image}")
        assert (shown.headers["content-type"], shown.content[:4]) == ("image/png", b"\x89PNG")
        assert (await http.post("/images", content=b"no image", headers=png)).status_code == 400
        assert (await http.get("/images/" + "0" * 64)).status_code == 404

    asked = {"images": [image], "question": "What is it?"}
    kept = await client.threads.create()
    state: Any = await client.runs.wait(kept["thread_id"], "reasoning", input=asked)
    assert (state["images"][0], state["versions"]) == (image, [served.live()])
    assert state["outcome"] in ("context_full", "too_many_turns", "answered", "abstained")
    assert state["transcript"][0] == {"role": "user", "text": "What is it?", "images": [image]}
    history = await client.threads.get_history(kept["thread_id"])
    assert len(history) > 3 and history[0]["values"]["outcome"] == state["outcome"]

    modes: Any = ["values", "updates", "messages-tuple", "custom", "debug", "tasks", "checkpoints"]
    thread_id = (await client.threads.create())["thread_id"]
    seen: dict[str, list[Any]] = {}
    async for part in client.runs.stream(thread_id, "verify", input=asked, stream_mode=modes, stream_subgraphs=True):
        seen.setdefault(part.event.partition("|")[0], []).append(part.data)
    assert {"values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"} <= set(seen)
    assert "error" not in seen
    assert all(item["versions"] == [served.live()] for item in seen["custom"] if item["event"] == "spoke")

    thread_id = (await client.threads.create())["thread_id"]
    stopped: Any = await client.runs.wait(thread_id, "review", input=asked)
    assert set(stopped["__interrupt__"][0]["value"]) == {"answer", "outcome", "evidence"}
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    done: Any = await client.runs.wait(thread_id, "review", command={"resume": True})
    assert done["accepted"] is True
    assert (await client.threads.get(thread_id))["status"] == "idle"
    assert (served.folder / Settings().threads).is_file()  # threads are ours, not the server's
