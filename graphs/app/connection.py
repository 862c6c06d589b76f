"""From a checkpoint to a policy that answers: a server that is told, found running, or started.

A server that `python -m graphs ask` starts goes on running, so that the next question need not wait for it; it ends by
itself when it has answered nothing for half an hour. There is one at a time, and its record is ours alone, so a
training run's server is never touched. An application may stand on it, so:

- where no checkpoint is named, what runs is meant: whichever version the server holds, after a swap, too. Only where
  nothing runs is one chosen (`graphs.app.default_checkpoint`) and started.
- a named checkpoint that the server does not hold replaces it only if no other process uses it. Else it is refused,
  with the ways out: weights that change under an application, or a server that ends, are for a person to decide.
- whoever looks for a server while another starts one waits, and gets the same.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.policies.served import ServedPolicy
from agent.serving.attached import attached
from agent.serving.checkpoint import Checkpoint
from agent.serving.server import VLLMServer, stop_recorded
from agent.serving.server_command import ServerError, ServerOptions
from agent.serving.server_record import ServerRecord, find_server, is_alive, read_record
from agent.serving.swap import SwapResult, hot_swap
from agent.serving.versions import AskedVersions, RecordedVersions
from graphs.app.default_checkpoint import RUNS, default_folder, named_folder, open_checkpoint
from graphs.app.server_sharing import has_other_users, one_at_a_time, use

RECORD = RUNS / "ask" / "server.json"
LOG = RUNS / "ask" / "server.log"
KEEP_RUNNING_S = 1800.0
BUSY_S = 60.0
"""For so long a server that lives may leave its health check unanswered."""
_log = logging.getLogger(__name__)


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


def connect(folder: Path | None, url: str | None, context: int, say: Callable[[str], None] = _log.info) -> Connection:
    """The policy of the checkpoint in `folder`; None: of what runs, else of the default one.

    `url` names a server that runs already and holds this checkpoint, or was swapped from it; else ours is reused or
    started, with room for `context` ids. `say` is told what is waited for, before it is. Raises CheckpointError, or
    ServerError where none can be started, or ours holds another checkpoint and another process uses it.
    """
    if url is not None:
        _use_if_ours(url)
        checkpoint = checkpoint_for(folder)
        return Connection(ServedPolicy(url, AskedVersions(checkpoint.version)), checkpoint.folder, ours=False)
    folder = folder or named_folder()
    with one_at_a_time(
        RECORD.parent, lambda: say(f"Another is looking for a server, or starting it ({LOG}): waiting for it.")
    ):
        named = open_checkpoint(folder) if folder else None
        running = _running(say)
        if running is not None and named is not None and not _holds(running, named):
            _end_unused(running, named, say)
            running = None
        if running is None:
            running = _start(named or open_checkpoint(default_folder()), context, say)
        use(RECORD.parent, running)
    return Connection(ServedPolicy(running.base_url, RecordedVersions(RECORD)), Path(running.checkpoint), ours=True)


def checkpoint_for(folder: Path | None) -> Checkpoint:
    """The checkpoint that `connect` would take now, without a look at the server's health. Raises CheckpointError."""
    if folder := folder or named_folder():
        return open_checkpoint(folder)
    record = read_record(RECORD)
    return open_checkpoint(Path(record.checkpoint) if record and is_alive(record) else default_folder())


def swap(folder: Path) -> SwapResult:
    """Hot-swaps our running server to the checkpoint in `folder`; whoever asks it meanwhile goes on.

    Raises CheckpointError for one that may not be loaded, ServerError where none runs, SwapError where it failed.
    """
    new = open_checkpoint(folder)
    _use_if_ours(None)
    with attached(RECORD, open_checkpoint) as server:
        return asyncio.run(hot_swap(server, new))


def disconnect() -> ServerRecord | None:
    """Stops the server that earlier questions left running, whoever uses it; None where none runs."""
    running = read_record(RECORD)
    if running is None or not is_alive(running):
        return None
    stop_recorded(running)
    return running


def _running(say: Callable[[str], None]) -> ServerRecord | None:
    """Our server, if it lives. A busy one may be slow to say that it is well: a second beside it would be worse."""
    patience = time.monotonic() + BUSY_S
    while (healthy := find_server(RECORD)) is None:
        record = read_record(RECORD)
        if record is None or not is_alive(record):
            return None
        if time.monotonic() > patience:
            raise ServerError(
                f"got no answer for {BUSY_S:g} s from the server at {record.base_url}, whose process {record.pid} "
                f"lives, expected one: see {record.log}, or stop it with 'python -m graphs ask --stop-server'"
            )
        say(f"The server at {record.base_url} is busy: waiting for it.")
        time.sleep(5.0)
    return healthy


def _holds(running: ServerRecord, named: Checkpoint) -> bool:
    return Path(running.checkpoint) == named.folder.resolve()


def _end_unused(running: ServerRecord, named: Checkpoint, say: Callable[[str], None]) -> None:
    if has_other_users(RECORD.parent, running):
        raise ServerError(
            f"got the checkpoint {named.folder}, expected {running.checkpoint}, which the server at {running.base_url} "
            "holds for another process that uses it; name no checkpoint to ask that one, or exchange the weights for "
            f"both with 'python -m graphs swap {named.folder}', or end the server with "
            "'python -m graphs ask --stop-server'"
        )
    say(f"Stopping the server at {running.base_url}, which holds {running.versions[-1]}; no other process uses it.")
    stop_recorded(running)


def _start(checkpoint: Checkpoint, context: int, say: Callable[[str], None]) -> ServerRecord:
    say(
        f"No server runs yet: starting vLLM with {checkpoint.version} ({checkpoint.folder}), which takes a minute or "
        f"more; its log is {LOG}. It stays for later questions and ends {KEEP_RUNNING_S / 60:g} minutes after the last."
    )
    options = ServerOptions(max_model_len=context)
    VLLMServer(checkpoint, options, log=LOG, record=RECORD, keep_running_s=KEEP_RUNNING_S).start()
    record = read_record(RECORD)
    if record is None:
        raise ServerError(f"got no record of the started server in {RECORD}, expected it; was the folder removed?")
    return record


def _use_if_ours(url: str | None) -> ServerRecord | None:
    """Our server, noted as used by this process, where it runs and `url` (None: any) is its address."""
    with one_at_a_time(RECORD.parent, lambda: None):
        record = read_record(RECORD)
        if record is None or not is_alive(record) or url not in (None, record.base_url):
            return None
        use(RECORD.parent, record)
        return record
