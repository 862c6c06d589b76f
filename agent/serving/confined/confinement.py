"""The changes: torch's stores listen where they are asked for, and shared memory bears its owner's name.

torch's TCPStore listens on all interfaces, whatever host it is given; it takes a socket that listens already. Python
names a piece of shared memory by chance; killed processes leave it behind, and nobody can tell whose it was.
"""

import errno
import importlib
import os
import socket
from functools import wraps
from pathlib import Path
from typing import Any

MARK = "MEDVISTA_TEMPORARY"
"""As in agent/serving/leftovers.py, which cannot be imported from here."""
ADDRESS = "127.0.0.1"


def prepare() -> None:
    """Make both changes in this process when their modules are imported."""
    changes = {"torch.distributed": stores_on_loopback, "multiprocessing.shared_memory": memory_of_its_owner}
    importlib.import_module("after_import").watch(changes)


def stores_on_loopback(module: Any) -> None:
    """A store whose host is loopback listens on that alone."""
    if not module.is_available():
        return
    made = module.TCPStore.__init__

    @wraps(made)
    def on_loopback(
        self: Any,
        host_name: str,
        port: int,
        world_size: int | None = None,
        is_master: bool = False,
        *more: Any,
        **named: Any,
    ) -> None:
        if is_master and host_name in (ADDRESS, "localhost") and not named.get("master_listen_fd"):
            listener = listening(port)
            if listener is not None:
                named["master_listen_fd"] = listener.detach()  # torch closes it
        made(self, host_name, port, world_size, is_master, *more, **named)

    module.TCPStore.__init__ = on_loopback


def listening(port: int) -> socket.socket | None:
    """A socket that listens on loopback; None where a store of this process, which torch shares, has the port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    listener.listen(2048)
    return listener


def memory_of_its_owner(module: Any) -> None:
    """Pieces of shared memory are called FOLDER-HEX, by the folder of the process's owner."""
    if folder := os.environ.get(MARK):
        module._SHM_NAME_PREFIX = f"/{Path(folder).name}-"
        module._SHM_SAFE_NAME_LENGTH = len(module._SHM_NAME_PREFIX) + 16  # Linux allows 255
