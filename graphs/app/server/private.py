"""What LangGraph's server writes itself, for its owner alone.

Beside our threads and images it keeps lists of threads and runs, with the questions put to them and their answers, in
`.langgraph_api/` where it is started, by the process's umask.
"""

import os
from contextlib import suppress
from pathlib import Path

from tools.private_files import PRIVATE_FOLDER

KEPT = ".langgraph_api"
"""The folder that langgraph-runtime-inmem makes where the server is started."""


def keep_private() -> None:
    """From now on the process, and those it starts, write files that only their owner may read."""
    os.umask(0o077)
    with suppress(FileNotFoundError, PermissionError):  # another's folder stays as it is
        Path(KEPT).chmod(PRIVATE_FOLDER)
