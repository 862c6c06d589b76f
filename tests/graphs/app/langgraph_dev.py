"""LangGraph's own server, started as `langgraph dev` is and with this repository's langgraph.json."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from agent.serving.server import free_port

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def langgraph_dev(folder: Path, config: Path = ROOT / "langgraph.json", **variables: str) -> Iterator[Running]:
    """A server that was started in `folder`; it ends with the context."""
    pytest.importorskip("langgraph_api", reason="pip install 'medvista[server]'")
    port = free_port("127.0.0.1")
    words = ["-m", "langgraph_cli", "dev", "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    words += ["--no-browser", "--no-reload", "--server-log-level", "ERROR"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    log = folder / "langgraph.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environment | variables, stdout=output, stderr=output, umask=0o022
        )
    try:
        until = time.monotonic() + 500
        while not answers(f"http://127.0.0.1:{port}/ok", variables.get("MEDVISTA_API_KEY", "")):
            assert server.poll() is None and time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.5)
        yield Running(f"http://127.0.0.1:{port}", server, log)
    finally:
        server.terminate()
        try:
            server.wait(120)
        except subprocess.TimeoutExpired:
            server.kill()
            raise


def answers(url: str, key: str = "") -> bool:
    """Whether a server answers there, and with success."""
    try:
        return httpx.get(url, timeout=5.0, trust_env=False, headers={"x-api-key": key}).is_success
    except httpx.TransportError:
        return False
