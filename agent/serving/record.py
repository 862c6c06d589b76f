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


class ServerRecord(BaseModel):
    """What is known of a running server. Holds no secret: anyone on this machine may read it."""

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
    """Write the record, replacing an older one in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_record(path: Path) -> ServerRecord | None:
    """The record at `path`; None where there is none or it cannot be read as one."""
    try:
        return ServerRecord.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def find_server(path: Path) -> ServerRecord | None:
    """The record at `path` if its server is alive and healthy, else None (start a new one then)."""
    record = read_record(path)
    if record is None or not is_alive(record):
        return None
    try:
        response = httpx.get(f"{record.base_url}/health", timeout=5.0, trust_env=False)
    except httpx.TransportError:
        return None
    return record if response.is_success else None


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
