"""Several processes and one server: looked for at once, asked by others, swapped elsewhere; with real processes.

The policy was taught nothing. What is tested is who starts, replaces and ends the server.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agent.serving.checkpoint import publish
from agent.serving.server_record import ServerRecord, read_record
from graphs.app import connection

ROOT = Path(__file__).parents[3]
CONNECT = """
import threading
from graphs.app.connection import connect

found = []
both = [threading.Thread(target=lambda: found.append(connect(None, None, 1024))) for _ in range(2)]
for thread in both:
    thread.start()
for thread in both:
    thread.join()
print(*(each.policy.base_url for each in found), *(each.policy.version for each in found))
"""
APPLICATION = """
import asyncio
import sys

from agent.policies.policy import PolicyError, Sampling
from graphs.app.connection import connect


async def ask_until_told():
    policy, reader, answers = connect(None, None, 1024).policy, asyncio.StreamReader(), []
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    told = asyncio.create_task(reader.read())
    print("connected", flush=True)
    while not told.done():
        try:
            await policy.generate([40, 41], [], Sampling(temperature=0.0, max_tokens=2))
            answers.append("answered")
        except PolicyError as error:
            answers.append(f"failed: {error}")
        await asyncio.sleep(0.05)
    print(len(answers), sorted(set(answers)), flush=True)


asyncio.run(ask_until_told())
"""


@dataclass(frozen=True)
class Place:
    """A working directory with published versions, where commands are run as different users of it would."""

    folder: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        environment.pop("MEDVISTA_CHECKPOINT", None)
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen([sys.executable, *words], cwd=self.folder, env=environment, text=True, **pipes)

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, what was printed, what was complained of."""
        process = self.start(*words)
        printed, said = process.communicate(timeout=500)
        return process.returncode, printed, said

    def ask(self, *more: str) -> tuple[int, str, str]:
        return self.run("-m", "graphs", "ask", "scan.png", "--question", "What?", "--turns", "1", "--json", *more)

    @property
    def server(self) -> ServerRecord:
        record = read_record(self.folder / connection.RECORD)
        assert record is not None
        return record

    @contextmanager
    def application(self) -> Generator[list[str]]:
        """Another process that asks all the time; at the end, what it says of its answers is added to the list."""
        process, told = self.start("-c", APPLICATION), list[str]()
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == "connected\n", process.communicate()[1]
        try:
            yield told
        finally:
            told.append(process.communicate("", timeout=120)[0])


@pytest.fixture(scope="module")
def place(random_checkpoint: Path, processor: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Version `first` is published; no server runs."""
    from rl.toy.model import build_model
    from rl.toy.teach import save

    folder = tmp_path_factory.mktemp("place")
    save(build_model(processor.tokenizer, seed=1), processor, folder / "other")
    publish(random_checkpoint, folder / "runs" / "a" / "checkpoints", "first", None, {})
    Image.effect_noise((64, 64), 80).save(folder / "scan.png")
    place = Place(folder)
    yield place
    assert place.run("-m", "graphs", "ask", "--stop-server")[0] == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_that_connect_at_once_get_one_server(place: Place) -> None:
    """Two processes of two threads each."""
    processes = [place.start("-c", CONNECT) for _ in range(2)]
    said = [process.communicate(timeout=800) for process in processes]
    address = place.server.base_url
    assert [printed for printed, _ in said] == [f"{address} {address} first first\n"] * 2, said
    assert (place.folder / connection.LOG).read_text().count("Application startup complete") == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_runs_is_asked_and_never_taken_from_others(place: Place) -> None:
    """An application asks on. Meanwhile: a swap, a newer version published, a question, one to another version."""
    versions = place.folder / "runs" / "a" / "checkpoints"
    with place.application() as told:
        server = place.server
        publish(place.folder / "other", versions, "second", "first", {})
        assert place.run("-m", "graphs", "swap", str(versions / "second"))[0] == 0
        publish(place.folder / "other", versions, "third", "second", {})
        status, printed, said = place.ask()
        assert status in (0, 1), said
        assert json.loads(printed)["versions"] == ["second"]
        assert "starting" not in said
        status, _, said = place.ask("--checkpoint", str(versions / "third"))
        assert (status, place.server.pid) == (2, server.pid)
        assert "for another process that uses it" in said
        assert "graphs swap" in said
        assert place.server.versions == ("first", "second")
    count, answers = told[0].split(" ", 1)
    assert answers == "['answered']\n"
    assert int(count) > 10
    status, printed, said = place.ask("--checkpoint", str(versions / "third"))  # nobody uses it any more
    assert status in (0, 1), said
    assert json.loads(printed)["versions"] == ["third"]
    assert said.index("which holds second; no other process uses it") < said.index("starting vLLM with third")
    assert str(connection.LOG) in said
    assert place.server.pid != server.pid
