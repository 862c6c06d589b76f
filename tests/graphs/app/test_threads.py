"""Where threads are kept: SQLite by default, PostgreSQL by its address, and what cannot be one of them."""

import asyncio
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from agent.chat import PolicyChatModel
from agent.chat.families.family import Family
from agent.policies.scripted import ScriptedPolicy
from graphs import reasoning
from graphs.app.application import Settings, open_application
from graphs.app.chat_model import chat_model
from graphs.app.threads import ThreadsError, open_threads
from tests.answering import LOOK, answer
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

SCRIPT = [LOOK, answer("cystic")]
ROOT = Path(__file__).parents[3]
CHECKPOINT = ROOT / "rl" / "toy" / "checkpoint"
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


async def test_a_place_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ThreadsError, match=r"Got threads at mongodb://\.\.\., expected the path of a file or postgres"):
        async with open_threads("mongodb://secret@host/threads"):
            pass


async def interrupted_and_gone_on_with(threads: str, folder: Path, encoder: Family, scan: MedicalImage) -> None:
    """An episode that stops behind its first look, whose application is closed and opened again."""
    settings = Settings(checkpoint=CHECKPOINT, images=folder / "images", threads=threads)
    thread: Any = {"configurable": {"thread_id": "1"}}
    policy = ScriptedPolicy(SCRIPT, encoder)
    async with open_application(settings, policy) as application:
        asked = {"images": [application.store.put(scan)], "question": "What is it?"}
        stopped = await application.graph("reasoning").ainvoke(asked, thread, interrupt_after=["integrate"])
        assert (stopped["turns"], stopped["answer"]) == (1, None)
    async with open_application(settings, policy) as application:
        done = await application.graph("reasoning").ainvoke(None, thread)
    assert (done["turns"], done["answer"], len(done["images"])) == (2, "cystic", 2)


async def test_sqlite_is_the_default(encoder: Family, scan: MedicalImage, tmp_path: Path) -> None:
    assert Settings().threads == "runs/application/threads.sqlite"
    file = tmp_path / "new" / "threads.sqlite"
    await interrupted_and_gone_on_with(str(file), tmp_path, encoder, scan)
    assert file.read_bytes().startswith(b"SQLite format 3")


async def test_a_write_whose_node_is_cancelled_leaves_the_file_to_others(tmp_path: Path) -> None:
    """LangGraph cancels a node's writes with it; one that is broken off in mid-transaction would lock the file."""
    file = tmp_path / "threads.sqlite"
    thread: Any = {"configurable": {"thread_id": "1", "checkpoint_ns": "", "checkpoint_id": "1"}}
    caught = 0
    async with open_threads(file) as saver:
        connection: Any = saver.conn  # pyright: ignore[reportAttributeAccessIssue]
        for task in range(200):
            writing = asyncio.ensure_future(saver.aput_writes(thread, [("messages", "x" * 9999)] * 99, str(task)))
            while not connection.in_transaction and not writing.done():
                await asyncio.sleep(0)
            caught += writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
            if caught:
                break
        assert caught, "no write was met in mid-transaction"
        with closing(sqlite3.connect(file, timeout=10, check_same_thread=False)) as other:
            await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
            assert other.execute("SELECT count(*) FROM writes").fetchone() == (99 * (task + 1),)


async def test_threads_are_their_owners_alone(encoder: Family, scan: MedicalImage, tmp_path: Path) -> None:
    """The file, what SQLite writes beside it while it is open, and a file of ours that was open to all."""
    before = os.umask(0)
    try:
        for file in (tmp_path / "new" / "threads.sqlite", tmp_path / "old.sqlite"):
            if file.name == "old.sqlite":
                file.touch(0o666)
            async with open_threads(file) as saver:
                graph = reasoning.factory(model_of(encoder, scan, tmp_path), (), checkpointer=saver)
                asked = {"images": [scan.id], "question": "What is it?"}
                await graph.ainvoke(asked, {"configurable": {"thread_id": "1"}})
                made = sorted(file.parent.glob(f"{file.name}*"))
                assert [path.name[len(file.name) :] for path in made] == ["", "-shm", "-wal"]
                assert {path.stat().st_mode & 0o777 for path in made} == {0o600}
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def model_of(family: Family, scan: MedicalImage, folder: Path) -> PolicyChatModel:
    """One whose policy answers at once."""
    store = ImageStore(folder / "images")
    store.put(scan)
    return chat_model(ScriptedPolicy(SCRIPT[1:], family), family, store)


WRITES = """
import asyncio, os, sys
from graphs.app.threads import ThreadsError, open_threads
from langgraph.graph import START, MessagesState, StateGraph

async def main():
    async with open_threads("threads.sqlite") as saver:
        graph = StateGraph(MessagesState).add_node("said", lambda _: {"messages": [os.urandom(9999).hex()]})
        graph = graph.add_edge(START, "said").compile(checkpointer=saver)
        for number in range(1000):
            await graph.ainvoke({"messages": ["?"]}, {"configurable": {"thread_id": str(number)}})

os.chdir(sys.argv[1])
if sys.argv[2] == "forbidden" and os.getuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    asyncio.run(main())
except ThreadsError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["forbidden", "full"])
def test_threads_that_cannot_be_kept(kind: str, tmp_path: Path) -> None:
    """A folder of another user's, and a real disk of 2 MB that is full in the middle of an episode."""
    command = [sys.executable, "-c", WRITES, str(tmp_path), kind]
    if kind == "full":
        mounting = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'
        alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounting, str(tmp_path)]
        if not shutil.which("unshare") or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        command = [*alone, *command]
    tmp_path.chmod(0o555)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    got = {"forbidden": "Got a place that may not be written, threads.sqlite", "full": "Got 'database or disk is full'"}
    assert run.stdout.startswith(got[kind]), run.stdout


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """The address of a PostgreSQL server of our own, in a folder of its own, as a user that is not root."""
    pytest.importorskip("langgraph.checkpoint.postgres", reason="pip install 'medvista[postgres]'")
    if not BINARIES:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    as_user: list[str] = []
    if os.getuid() == 0:  # the server refuses to be root
        if shutil.which("setpriv") is None:
            pytest.skip("no setpriv here, with which root starts a server as another user")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    folder = Path(
        subprocess.check_output([*as_user, "mktemp", "-d", "/tmp/medvista-postgres-XXXXXX"], text=True).strip()
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["-D", str(folder / "data")]
    try:
        subprocess.run(
            [*as_user, str(BINARIES[-1] / "initdb"), *options, "-U", "medvista", "-A", "trust", "-N"],
            check=True,
            capture_output=True,
            cwd="/",
        )
        told = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
        log = (tmp_path / "postgres.log").open("wb")
        server = subprocess.Popen(
            [*as_user, str(BINARIES[-1] / "postgres"), *options, *told], stdout=log, stderr=log, cwd="/"
        )
        try:
            ready = [str(BINARIES[-1] / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
            while subprocess.run(ready, capture_output=True, check=False).returncode != 0:
                assert server.poll() is None, (tmp_path / "postgres.log").read_text()
            yield f"postgresql://medvista@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # its fast shutdown
            server.wait(30)
            log.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_postgres_by_its_address(postgres: str, encoder: Family, scan: MedicalImage, tmp_path: Path) -> None:
    await interrupted_and_gone_on_with(postgres, tmp_path, encoder, scan)
