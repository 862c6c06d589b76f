"""What Ray 2.55 has no setting for, changed in this process while it starts a Ray (rl/processes/ray_cluster.py).

- It takes 127.0.0.1 for the machine's outer address unless it believes that it cannot make clusters, as on a Mac.
- The agent on each node opens the job API unless the packages of ray[default] are missing.
- The raylet gives its two agents fifteen seconds to write down their ports, and aborts. A busy machine needs longer to
  import what they import. An agent without the job API has no ports, which can be written down before it starts; the
  other is told which port to take.
- Whoever starts Ray gives the raylet thirty seconds in all, and does not see that it has ended.
"""

import inspect
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
PATIENCE_S = 600
"""Seconds in which a raylet must have started."""


class RayStartError(Exception):
    """A Ray of our own did not start; the message holds what it said.

    No RuntimeError: Ray takes one for a node that comes yet.
    """


@contextmanager
def changed() -> Generator[None]:
    """Ray as it is started for one machine, without job API and with patience."""
    from ray._private import ray_constants, services, utils

    constants: Any = ray_constants
    started: Any = services
    library: Any = utils
    raylets: list[Any] = []
    changes = [
        (constants, "ENABLE_RAY_CLUSTER", False),
        (library, "get_dashboard_dependency_error", lambda: ImportError("the job API is not wanted")),
        (started, "start_raylet", _with_known_ports(started.start_raylet, raylets)),
        (started, "get_node", _patient(started.get_node, raylets)),
    ]
    before = [getattr(module, name) for module, name, _ in changes]
    for module, name, value in changes:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(changes, before, strict=True):
            setattr(module, name, value)


def _with_known_ports(start_raylet: Callable[..., Any], raylets: list[Any]) -> Callable[..., Any]:
    """Starts a raylet that need not wait for the ports of its agents, and notes its process."""
    from ray import _raylet

    names: Any = _raylet

    def start(*given: Any, **named: Any) -> Any:
        arguments = inspect.signature(start_raylet).bind(*given, **named).arguments
        for name in ("METRICS_AGENT_PORT_NAME", "METRICS_EXPORT_PORT_NAME", "DASHBOARD_AGENT_LISTEN_PORT_NAME"):
            names.persist_port(arguments["session_dir"], arguments["node_id"], getattr(names, name), -1)
        process = start_raylet(**{**arguments, "runtime_env_agent_port": _free_port()})
        raylets.append((process.process, arguments["log_dir"]))
        return process

    return start


def _patient(get_node: Callable[..., Any], raylets: list[Any]) -> Callable[..., Any]:
    """Asks for the node until it is there, as long as its raylet lives. Raises RayStartError where it ended."""

    def get(*given: Any) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return get_node(*given)
            except RuntimeError:  # not there yet
                for process, log in raylets:
                    if process.poll() is not None:
                        raise RayStartError(_ended(process.returncode, log)) from None
                if time.monotonic() > deadline:
                    raise RayStartError(f"Got no raylet after {PATIENCE_S} s, expected one.") from None

    return get


def _ended(status: int, log: str) -> str:
    errors = Path(log, "raylet.err")
    said = errors.read_text(encoding="utf-8", errors="replace")[:2000] if errors.exists() else ""
    return f"Got a raylet that ended with status {status} as it started, expected one that runs. It said:\n{said}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
