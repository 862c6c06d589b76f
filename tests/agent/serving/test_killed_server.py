"""A real vLLM server, killed with -9 in all its processes: what it opened while it ran, and what it leaves."""

import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.serving.checkpoint import publish
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from agent.serving.server_record import read_record
from tests.sockets import beyond_loopback, listening, with_descendants


def shared_memory(pids: Iterable[int]) -> set[Path]:
    """Pieces of shared memory that have a name and are in use by the processes."""
    maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in pids)
    return {Path(name) for name in re.findall(r"(/dev/shm/\S+)$", maps, re.M) if Path(name).exists()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_server_was_on_loopback_and_leaves_no_shared_memory(
    tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    checkpoint = publish(tiny_folders["a"], tmp_path / "versions", "a", None, {})
    options = ServerOptions(environment={"OMP_NUM_THREADS": "1"})
    server = VLLMServer(checkpoint, options, log=tmp_path / "server.log", record=tmp_path / "server.json")
    left: set[Path] = set()
    try:
        server.start()
        record = read_record(tmp_path / "server.json")
        assert record is not None
        ours = with_descendants(record.pid)
        assert listening(ours) and beyond_loopback(ours) == []
        left = shared_memory(ours)
        assert left
        os.killpg(record.pid, signal.SIGKILL)
        server.stop()
        assert not [each for each in left if each.exists()]
    finally:
        server.stop()
        for each in left:
            each.unlink(missing_ok=True)
