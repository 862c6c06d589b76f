"""From a checkpoint to a policy that answers: a server that is told, found running, or started.

A server that `python -m graphs ask` starts goes on running, so that the next question need not wait for it; it ends by
itself when it has answered nothing for half an hour. There is one at a time: a question to another checkpoint replaces
it. Its record is ours alone, so a training run's server is never touched.
"""

from dataclasses import dataclass
from pathlib import Path

from agent.policies.served import ServedPolicy
from agent.serving.launch import ServerOptions
from agent.serving.record import ServerRecord, find_server
from agent.serving.server import VLLMServer, stop_recorded
from agent.serving.versions import LiveVersions, RecordedVersions
from graphs.checkpoint import RUNS, default_folder, open_checkpoint

RECORD = RUNS / "ask" / "server.json"
LOG = RUNS / "ask" / "server.log"
KEEP_RUNNING_S = 1800.0


@dataclass(frozen=True)
class Connection:
    """A policy, and the checkpoint folder whose tokenizer and image processor speak to it."""

    policy: ServedPolicy
    folder: Path


def connect(folder: Path | None, url: str | None, context: int) -> Connection:
    """The policy of the checkpoint in `folder` (None: the default one).

    `url` names a server that runs already and holds this checkpoint; else ours is reused or started, with room for
    `context` ids. Raises CheckpointError, or ServerError where none can be started.
    """
    checkpoint = open_checkpoint(folder or default_folder())
    if url is not None:
        return Connection(ServedPolicy(url, LiveVersions(checkpoint.version)), checkpoint.folder)
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
    return Connection(ServedPolicy(address, RecordedVersions(RECORD)), checkpoint.folder)


def disconnect() -> ServerRecord | None:
    """Stops the server that earlier questions left running; None where none runs."""
    running = find_server(RECORD)
    if running is not None:
        stop_recorded(running)
    return running
