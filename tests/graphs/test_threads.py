"""Where threads are kept: SQLite by default, PostgreSQL by its address, and what cannot be one of them."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.encoder import Encoder
from agent.policies.scripted import ScriptedPolicy
from graphs.application import Settings, open_application
from graphs.threads import ThreadsError, open_threads
from tools.images.image import MedicalImage

LOOK = (
    "<think>Closer.</think>"
    '<tool_call>{"name": "zoom_in", "arguments": {"image": 1, "box": [0, 0, 499, 499]}}</tool_call>'
)
SCRIPT = [LOOK, "<think>I see it.</think><answer>cystic</answer>"]
ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "rl" / "base" / "checkpoint"
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


async def test_a_place_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ThreadsError, match=r"Got threads at mongodb://\.\.\., expected the path of a file or postgres"):
        async with open_threads("mongodb://secret@host/threads"):
            pass


async def interrupted_and_gone_on_with(threads: str, folder: Path, embedded: Encoder, scan: MedicalImage) -> None:
    """An episode that stops behind its first look, whose application is closed and opened again."""
    settings = Settings(checkpoint=CHECKPOINT, images=folder / "images", threads=threads)
    thread: Any = {"configurable": {"thread_id": "1"}}
    policy = ScriptedPolicy(SCRIPT, embedded)
    async with open_application(settings, policy) as application:
        asked = {"images": [application.store.put(scan)], "question": "What is it?"}
        stopped = await application.graph("reasoning").ainvoke(asked, thread, interrupt_after=["integrate"])
        assert (stopped["turns"], stopped["answer"]) == (1, None)
    async with open_application(settings, policy) as application:
        done = await application.graph("reasoning").ainvoke(None, thread)
    assert (done["turns"], done["answer"], len(done["images"])) == (2, "cystic", 2)


async def test_sqlite_is_the_default(embedded: Encoder, scan: MedicalImage, tmp_path: Path) -> None:
    assert Settings().threads == "runs/application/threads.sqlite"
    file = tmp_path / "new" / "threads.sqlite"
    await interrupted_and_gone_on_with(str(file), tmp_path, embedded, scan)
    assert file.read_bytes().startswith(b"SQLite format 3")


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


async def test_postgres_by_its_address(postgres: str, embedded: Encoder, scan: MedicalImage, tmp_path: Path) -> None:
    await interrupted_and_gone_on_with(postgres, tmp_path, embedded, scan)
