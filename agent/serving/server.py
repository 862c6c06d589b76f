"""A real vLLM server as a thing that is started, asked whether it is well, and stopped without trace.

The server runs behind `watchdog.py` in a session of its own: Ctrl-C in our terminal does not reach it, and it ends with
us however we end. With `keep_running_s` it outlives us instead, so that the next `python -m graphs ask` finds it by its
record file; it then ends by itself after that many seconds without a request.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psutil

from agent.serving import leftovers, watchdog
from agent.serving.checkpoint import Checkpoint
from agent.serving.key import keep_new_key, private
from agent.serving.server_command import ServerError, ServerOptions, installed_build, server_command, server_environment
from agent.serving.server_record import ServerRecord, health, is_alive, started, write_record
from agent.serving.startup_progress import StartupProgress
from agent.serving.validation import check_contents
from agent.serving.versions import LiveVersions

POLL_S = 0.2


class WaitFor(Protocol):
    """`wait(timeout)` of a process."""

    def __call__(self, timeout: float | None = None) -> object: ...


class VLLMServer:
    """One vLLM server that serves one checkpoint at a time; a context manager, plain or async."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        options: ServerOptions | None = None,
        *,
        log: Path | None = None,
        record: Path | None = None,
        keep_running_s: float | None = None,
        start_timeout_s: float = 600.0,
        progress: bool = True,
    ) -> None:
        """Nothing runs before `start`.

        `log`: where the server writes (default: in its temporary folder, gone when it stops). `record`: a file by which
        other processes find this server (see `agent.serving.server_record`).
        """
        self.checkpoint = checkpoint
        """The live checkpoint; changed by a swap alone."""
        self.versions = LiveVersions(checkpoint.version)
        self.options = options or ServerOptions()
        self.base_url = ""
        self.swapping = asyncio.Lock()
        """Held during a swap: two at once would leave the weights of one under the name of the other."""
        self.log: Path | None = log
        """Where the server writes; None until it is started, where no place was given."""
        self._record = record
        self._keep_running_s = keep_running_s
        self._start_timeout_s = start_timeout_s
        self._progress = progress
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary: Path | None = None
        self._key_file: Path | None = None
        self._started = ""

    def start(self) -> Self:
        """Start the server and wait until it is healthy. Raises ServerError, with the log's reason, if it is not.

        Raises CheckpointError, before anything is started, for a checkpoint that is not whole or holds code or pickles.
        """
        if self._process is not None:
            raise ServerError(f"got start() of a server that already runs at {self.base_url}, expected one start")
        check_contents(self.checkpoint)
        build = installed_build()
        port = self.options.port or free_port(self.options.host)
        temporary = Path(tempfile.mkdtemp(prefix="medvista-vllm-"))
        self._temporary = temporary
        self.base_url = f"http://{self.options.host}:{port}"
        self.log = log = self.log or temporary / "server.log"
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key_file = key_file = keep_new_key(self.base_url)
        plan = {
            "command": server_command(self.checkpoint.folder.resolve(), port, self.options, build),
            "parent": None if self._keep_running_s else os.getpid(),
            "idle_s": self._keep_running_s,
            "metrics": f"{self.base_url}/metrics",
            "key": str(key_file),
            "temporary": str(temporary),
            "record": str(self._record.resolve()) if self._record else None,
        }
        with open(log, "ab", opener=private) as output:
            log_begin = output.tell()  # there may be an earlier server's
            self._process = subprocess.Popen(
                [sys.executable, "-I", watchdog.__file__, json.dumps(plan)],
                env=server_environment(self.options, build, temporary, key_file),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        if not self._keep_running_s:
            atexit.register(self.stop)
        try:
            self._wait_until_healthy(log, log_begin)
        except BaseException:
            self.stop()
            raise
        self.write_record()
        return self

    def stop(self) -> None:
        """End the server and everything it started; nothing is left behind. Stopping twice is fine."""
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.stop)
        if self._key_file is not None:
            self._key_file.unlink(missing_ok=True)  # while the address is ours: the next server there has its own
        if process.poll() is None:
            end_watchdog(process.pid, process.wait)
        elif process.returncode < 0:  # somebody killed the watchdog itself: end what it can no longer end
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if self._temporary is not None:
            leftovers.clear(self._temporary)

    def is_healthy(self) -> bool:
        """Whether the server runs and says that it is well."""
        return self._process is not None and self._process.poll() is None and health(self.base_url) == 200

    def went_live(self, checkpoint: Checkpoint) -> None:
        """Note that the engine holds `checkpoint` now, here and in the record file. Called by the swap alone."""
        self.checkpoint = checkpoint
        if self.versions.live != checkpoint.version:
            self.versions.switch(checkpoint.version)
        self.write_record()

    def write_record(self) -> None:
        """Write or renew the record file, where one was asked for."""
        if self._record is None or self._process is None or self.log is None:
            return
        since = started(self._process.pid)
        if since is None:  # it has just ended, and nobody should look for it
            return
        record = ServerRecord(
            pid=self._process.pid,
            pid_started=since,
            host=self.options.host,
            port=int(self.base_url.rpartition(":")[2]),
            checkpoint=str(self.checkpoint.folder.resolve()),
            versions=self.versions.history(),
            started=self._started,
            log=str(self.log.resolve()),
        )
        write_record(self._record, record)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _wait_until_healthy(self, log: Path, begin: int) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._start_timeout_s
        with StartupProgress(self.checkpoint.version, log, begin, self._progress) as progress:
            while not self.is_healthy():
                if self._process.poll() is not None:
                    raise ServerError(
                        f"the vLLM server ended with status {self._process.returncode} before it was healthy:\n"
                        f"{reason(log, begin)}"
                    )
                if time.monotonic() > deadline:
                    raise ServerError(
                        f"got no healthy vLLM server after {self._start_timeout_s:g} s, expected one; "
                        f"the end of its log:\n{reason(log, begin)}"
                    )
                time.sleep(POLL_S)
                progress.goes_on()


def stop_recorded(record: ServerRecord) -> None:
    """Stop a server found by its record, started by whichever process."""
    if is_alive(record):
        end_watchdog(record.pid, psutil.Process(record.pid).wait)


def end_watchdog(pid: int, wait: WaitFor) -> None:
    """Ask the watchdog to end its group; end the group ourselves if it does not."""
    os.kill(pid, signal.SIGTERM)
    try:
        wait(watchdog.GRACE_S + 5.0)
    except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
        os.killpg(pid, signal.SIGKILL)
        wait(None)


def free_port(host: str) -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def reason(log: Path, begin: int, lines: int = 20) -> str:
    """Why a server died: the error lines of its log (the first is mostly the cause), then the log's end.

    `begin`: where in the log this server begins, in bytes.
    """
    text = log.read_bytes()[begin:].decode("utf-8", errors="replace").splitlines()
    errors = dict.fromkeys(line for line in text if "Error" in line)
    return "\n".join([*list(errors)[:5], "...", *text[-lines:]])
