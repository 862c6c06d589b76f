"""Saying what happens: a step is a line with its seconds; what its commands print goes to a log, shown if one fails."""

import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LOG = Path("setup.log")
"""Beside .venv, not in it: making .venv anew empties it."""

SHOWN_LINES = 25


class SetupError(Exception):
    """Ends the set-up with its message and no traceback: what was got, what was expected, how to mend it."""


@contextmanager
def step(title: str) -> Generator[list[str]]:
    """Print `title` as the work starts, then its seconds, with what the work put into the yielded list."""
    print(f"set-up: {title} ", end="", flush=True)
    notes: list[str] = []
    start = time.monotonic()
    try:
        yield notes
    except BaseException:
        print(f"... stopped after {time.monotonic() - start:.1f} s", flush=True)
        raise
    remark = f" ({'; '.join(notes)})" if notes else ""
    print(f"... {time.monotonic() - start:.1f} s{remark}", flush=True)


def attempt(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Run a command with its output in the log; whether it ended well."""
    with LOG.open("a", encoding="utf-8") as log:
        print(f"\n$ {' '.join(command)}", file=log, flush=True)
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    return done.returncode == 0


def run(command: Sequence[str], environment: Mapping[str, str], mend: str) -> None:
    """Run a command; if it fails, raise SetupError with the end of its output and the way to mend it."""
    if not attempt(command, environment):
        lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]
        output = "\n".join(f"  {line}" for line in lines)
        raise SetupError(f"{' '.join(command)}\n{output}\n{mend} All of its output: {LOG}")
