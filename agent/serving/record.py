"""The server's record file: how another process finds, reuses and stops a running server.

A record is only a claim. It is believed when the process it names is alive and is the same one (a process id may have
been given to another program since: the start time tells) and the server answers its health check.
"""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import psutil
from pydantic import BaseModel, ConfigDict, ValidationError


class ServerRecord(BaseModel):
    """What is known of a running server. Holds no secret: anyone on this machine may read it."""

    model_config = ConfigDict(frozen=True)

    pid: int
    """Of the watchdog, which leads the process group of the whole server."""
    pid_started: float
    """When that process started, in seconds since 1970, as the operating system says."""
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
    try:
        process = psutil.Process(record.pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - record.pid_started) < 1.0
    except psutil.NoSuchProcess:
        return False
