"""The server's record file: how another process finds, reuses and stops a running server.

A record is only a claim. It is believed when the process it names is alive and is the same one (a process id may have
been given to another program since) and the server answers its health check. When a process started is told in ticks
since the machine's start: in seconds since 1970 it changes with every step of the clock.
"""

from __future__ import annotations

import os
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.serving.key import authorization, private, refused
from agent.serving.server_command import ServerError


class ServerRecord(BaseModel):
    """What is known of a running server. Its key is not here but in a file of its own: see `agent.serving.key`."""

    model_config = ConfigDict(frozen=True)

    pid: int
    """Of the watchdog, which leads the process group of the whole server."""
    pid_started: str
    """When that process started: see `started`."""
    host: str
    port: int
    checkpoint: str
    """The folder of the live checkpoint."""
    versions: tuple[str, ...]
    """All versions that were live, in order; the last one is live now."""
    started: str
    """When the server was started, ISO 8601, UTC."""
    log: str

    @property
    def base_url(self) -> str:
        """Where the server listens."""
        return f"http://{self.host}:{self.port}"


def write_record(path: Path, record: ServerRecord) -> None:
    """Write the record, replacing an older one in one step; for its user's eyes alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "w", encoding="utf-8", opener=private) as file:
        file.write(record.model_dump_json(indent=2) + "\n")
    temporary.replace(path)


def read_record(path: Path) -> ServerRecord | None:
    """The record at `path`; None where there is none or it cannot be read as one."""
    try:
        return ServerRecord.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def find_server(path: Path) -> ServerRecord | None:
    """The record at `path` if its server is alive and healthy, else None (start a new one then).

    Raises ServerError for one that is alive but wants another key than the one we know: it would be lost sight of.
    """
    record = read_record(path)
    if record is None or not is_alive(record):
        return None
    status = health(record.base_url)
    if status in (401, 403):
        raise ServerError(
            f"got HTTP {status} from the server of {path}, process {record.pid}, expected it to take our key: "
            f"{refused(record.base_url)}. End it with `kill {record.pid}`, and start it again"
        )
    return record if status == 200 else None


def health(base_url: str) -> int | None:
    """The HTTP status by which a server says that it is well (200) or not; None where nothing answers."""
    try:
        return httpx.get(
            f"{base_url}/health", headers=authorization(base_url), timeout=5.0, trust_env=False, verify=False
        ).status_code
    except httpx.TransportError:
        return None


def is_alive(record: ServerRecord) -> bool:
    """Whether the recorded process still runs, and is the same one."""
    return started(record.pid) == record.pid_started


def started(pid: int) -> str | None:
    """When a running process started, as `BOOT TICKS`: which start of the machine, and clock ticks since; else None.

    No two processes of one id have it in common, and it does not move with the clock (Linux: proc(5), field 22).
    """
    try:
        state, *fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except (FileNotFoundError, ProcessLookupError):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None if state == "Z" else f"{boot} {fields[18]}"
