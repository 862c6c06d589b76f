"""From a checkpoint to a policy that answers: a server that is told, found running, or started.

A server that `python -m graphs ask` starts goes on running, so that the next question need not wait for it; it ends by
itself when it has answered nothing for half an hour. There is one at a time: a question to another checkpoint replaces
it. Its record is ours alone, so a training run's server is never touched.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from agent.policies.served import ServedPolicy
from agent.serving.attached import attached
from agent.serving.launch import ServerOptions
from agent.serving.record import ServerRecord, find_server, is_alive, read_record
from agent.serving.server import VLLMServer, stop_recorded
from agent.serving.swap import SwapResult, hot_swap
from agent.serving.versions import AskedVersions, RecordedVersions
from graphs.checkpoint import RUNS, default_folder, open_checkpoint

RECORD = RUNS / "ask" / "server.json"
LOG = RUNS / "ask" / "server.log"
KEEP_RUNNING_S = 1800.0


@dataclass(frozen=True)
class Connection:
    """A policy, and the checkpoint folder whose tokenizer and image processor speak to it."""

    policy: ServedPolicy
    folder: Path
    ours: bool
    """Whether the server is ours, and ends by itself when it is idle for long."""

    def is_alive(self) -> bool:
        """Whether the server may still be there: ours if its process lives, another's as far as is known."""
        record = read_record(RECORD) if self.ours else None
        return not self.ours or (record is not None and record.base_url == self.policy.base_url and is_alive(record))


def connect(folder: Path | None, url: str | None, context: int) -> Connection:
    """The policy of the checkpoint in `folder` (None: the default one).

    `url` names a server that runs already and holds this checkpoint, or was swapped from it; else ours is reused or
    started, with room for `context` ids. Raises CheckpointError, or ServerError where none can be started.
    """
    checkpoint = open_checkpoint(folder or default_folder())
    if url is not None:
        return Connection(ServedPolicy(url, AskedVersions(checkpoint.version)), checkpoint.folder, ours=False)
    running = find_server(RECORD)
    if running is not None and Path(running.checkpoint) != checkpoint.folder.resolve():
        stop_recorded(running)
        running = None
    if running is not None:
        address = running.base_url
    else:
        options = ServerOptions(max_model_len=context)
        server = VLLMServer(checkpoint, options, log=LOG, record=RECORD, keep_running_s=KEEP_RUNNING_S)
        address = server.start().base_url
    return Connection(ServedPolicy(address, RecordedVersions(RECORD)), checkpoint.folder, ours=True)


def swap(folder: Path) -> SwapResult:
    """Hot-swaps our running server to the checkpoint in `folder`; whoever asks it meanwhile goes on.

    Raises CheckpointError for one that may not be loaded, ServerError where none runs, SwapError where it failed.
    """
    new = open_checkpoint(folder)
    with attached(RECORD, open_checkpoint) as server:
        return asyncio.run(hot_swap(server, new))


def disconnect() -> ServerRecord | None:
    """Stops the server that earlier questions left running; None where none runs."""
    running = find_server(RECORD)
    if running is not None:
        stop_recorded(running)
    return running
