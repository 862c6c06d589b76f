"""The key of a server: who holds it may use the server, nobody else on this machine may.

A server that we start answers no request without its key (`worker/medvista_guard.py`). The key lies in a file that only
its user can read, named by the server's address: another process of the same user needs to know the address alone.
It is never on a command line, which every user may read. For a server that others started, MEDVISTA_SERVER_KEY says it.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import quote

import httpx

from agent.serving.server_command import ServerError

VARIABLE = "MEDVISTA_SERVER_KEY"
"""The environment variable with the key of servers that are not ours; vLLM's `--api-key`, for one."""


def key_file(base_url: str) -> Path:
    """Where the key of our server at `base_url` lies. Raises httpx.InvalidURL."""
    url = httpx.URL(base_url)
    host = "127.0.0.1" if url.host == "localhost" else url.host
    return _folder() / quote(f"{host}:{url.port}", safe=":")


def keep_new_key(base_url: str) -> Path:
    """Make a key for a server that is to listen at `base_url`; returns its file. Raises ServerError."""
    folder, file = _folder(), key_file(base_url)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_ours(folder):
        raise ServerError(
            f"got a folder {folder} that is another user's, expected ours to keep the server's key in; "
            "remove it, or set TMPDIR to a folder of your own"
        )
    folder.chmod(0o700)
    file.unlink(missing_ok=True)
    with open(file, "x", encoding="ascii", opener=private) as output:
        output.write(secrets.token_urlsafe(32))
    return file


def authorization(base_url: str) -> dict[str, str]:
    """The header that shows the server at `base_url` its key; none where no key is known. Raises httpx.InvalidURL."""
    file = key_file(base_url)
    if file.exists() and _is_ours(file.parent):
        key = file.read_text(encoding="ascii")
    else:
        key = os.environ.get(VARIABLE, "").strip()
    return {"authorization": f"Bearer {key}"} if key else {}


def refused(base_url: str) -> str:
    """What to do about a server at `base_url` that wants another key than it got: a sentence without the key."""
    file = key_file(base_url)
    shown = f"the key in {file}" if file.exists() else f"${VARIABLE}" if os.environ.get(VARIABLE) else "no key"
    return (
        f"it was shown {shown}; a server that this user started has its key in {file}, "
        f"any other's is expected in the environment variable {VARIABLE}"
    )


def private(path: str, flags: int) -> int:
    """An `opener` for `open`: a file that is made is its user's alone, whatever the umask."""
    return os.open(path, flags, 0o600)


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"medvista-{os.getuid()}"


def _is_ours(folder: Path) -> bool:
    """Whether we made it: in a temporary folder that all may write to, another user could have been first."""
    return not folder.is_symlink() and folder.stat().st_uid == os.getuid()
