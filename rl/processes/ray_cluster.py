"""The Ray that we start for training, with GPUs or without.

Whoever reaches a Ray runs code as its owner, so ours is closed three times. Its processes listen on loopback. They
answer nobody who does not show the token (Ray's own token authentication): other users of this machine reach loopback
too. And its files lie in a folder that is ours alone. Neither dashboard nor job API is started.

Its processes may take ten minutes to start (rl/processes/ray_patches.py): a busy machine needs more than Ray allows.
All of them carry the mark of the folder's owner (agent/serving/leftovers.py).
"""

import os
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.serving import leftovers
from rl.processes.ray_patches import LOOPBACK, PATIENCE_S, changed

_FOLDER = "ray"  # Ray opens it, and what is in it, to everybody: it lies in a folder that is not


@contextmanager
def own_ray(folder: Path, **options: Any) -> Generator[Any]:
    """Starts a Ray, gives the module `ray` connected to it, and ends it.

    `folder`: its owner's, open to nobody else, with a short path (Ray's sockets lie under it). `options`: ray.init's.
    Raises RayStartError where it does not start.
    """
    import ray

    library: Any = ray
    token = folder / "token"
    with open(os.open(token, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    try:
        with _environment(_settings(folder, token)), changed():
            _read_environment()
            library.init(
                address="local",
                include_dashboard=False,
                _node_ip_address=LOOPBACK,
                _temp_dir=str(folder / _FOLDER),
                **options,
            )
        yield library
    finally:
        library.shutdown()
        _read_environment()


def _settings(folder: Path, token: Path) -> dict[str, str | None]:
    """Environment variables of Ray and of all that it starts; None for one that must not be set."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_AUTH_TOKEN": None,  # it would win
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # as in rl/processes/ray_patches.py, for what Ray starts
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_agent_register_timeout_ms": str(PATIENCE_S * 1000),
        "RAY_worker_register_timeout_seconds": str(PATIENCE_S),
        "RAY_gcs_server_request_timeout_seconds": str(PATIENCE_S),
        **leftovers.marks(folder),
    }


@contextmanager
def _environment(settings: Mapping[str, str | None]) -> Generator[None]:
    """Sets the variables while Ray starts: what else we start meanwhile is not Ray's."""
    before = {name: os.environ.get(name) for name in settings}
    _set(settings)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _read_environment() -> None:
    """Ray reads its settings when it is imported, and keeps the token."""
    from ray import _raylet

    library: Any = _raylet
    library.AuthenticationTokenLoader.instance().reset_cache()
    library.Config.initialize("")
