"""A training program as a child of ours, which leaves nothing behind.

The child runs behind agent/serving/watchdog.py, in a session and a temporary folder of its own, so that it ends with us
however we end. What it prints goes to a log, whose end is told where it fails. What would stop it without a word, the
lock of a compilation that was killed, is removed before it starts.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.serving import leftovers, watchdog
from rl.processes.compiler_locks import extensions_folder, remove_stale_locks


class TrainingError(RuntimeError):
    """A training program stopped before it was done; the message holds the end of its log."""


async def run_child(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    temporary: Path,
    log: Path,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Runs `command` to its end; calls `tick` about twice a second meanwhile.

    `temporary` is the child's own folder, removed at its end. Raises TrainingError where it fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    remove_stale_locks(extensions_folder(environment))
    plan = {
        "command": list(command),
        "parent": os.getpid(),
        "idle_s": None,
        "metrics": "",
        "temporary": str(temporary),
        "record": None,
    }
    with log.open("ab") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            watchdog.__file__,
            json.dumps(plan),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    ended = asyncio.create_task(child.wait())
    try:
        while not ended.done():
            tick()
            await asyncio.wait([ended], timeout=0.5)
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()
        leftovers.clear(temporary)  # nothing, unless somebody killed the watchdog itself
    if child.returncode:
        end = log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
        raise TrainingError(
            f"{name} ended with status {child.returncode}; its log is {log}, which ends:\n" + "\n".join(end)
        )
