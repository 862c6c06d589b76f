"""Stands between us and the server, so that no way of dying leaves anything behind. Standard library only.

It is run by its path as the leader of a new session; the server and all that it starts are in its process group. It
ends the group when it is told to (SIGTERM), when the server ends, when its parent is gone (seen by the parent's process
id: also after kill -9, and unlike PR_SET_PDEATHSIG it does not fire when only the thread that started it ends), or, for
a server that outlives its parent on purpose, when it has served nothing for a while. Then it clears the server's
temporary folder, with whatever else bears its mark (leftovers.py), and removes the record file if it is still its own.

A successor in a session of its own does the same if the watchdog is killed with -9. Where both are, the server is sent
SIGTERM by the kernel, and what then is left is cleared by the next watchdog that starts.

    watchdog.py '{"command": ["python", ...], "parent": 123 or null, "idle_s": 1800 or null,
                  "metrics": "http://...", "key": "/tmp/..." or absent, "temporary": "/tmp/...",
                  "record": "..." or null}'
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:  # run by its path
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agent.serving import leftovers

GRACE_S = 10.0
LOOK_S = 0.2
METRICS_S = 15.0


def main() -> int:
    """Run the server until there is a reason to end it; the server's own exit status where it ended by itself."""
    plan: dict[str, Any] = json.loads(sys.argv[1])
    told: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda number, _frame: told.append(number))
    temporary = Path(plan["temporary"])
    lock = leftovers.own(temporary)  # held by the successor too
    successor = leave_successor(plan)
    leftovers.sweep(temporary.parent)
    adopt_orphans()
    environment = {**os.environ, **leftovers.marks(temporary)}
    server = subprocess.Popen(plan["command"], env=environment, stdin=subprocess.DEVNULL, preexec_fn=die_with_watchdog)
    key = Path(plan["key"]).read_text() if plan.get("key") else ""
    idle = Idleness(plan["metrics"], key) if plan["idle_s"] else None
    while not told and server.poll() is None and plan["parent"] in (None, os.getppid()):
        if idle is not None and idle.seconds() > plan["idle_s"]:
            break
        time.sleep(LOOK_S)
    status = server.poll()
    remove_key(plan)
    end_group()
    leftovers.clear(temporary)
    remove_own_record(plan["record"], os.getpid())
    os.close(lock)
    successor.dismiss()
    return 0 if status is None else abs(status)


class Successor(NamedTuple):
    """A process that takes the watchdog's place if that is killed, which it learns from the end of a pipe."""

    pid: int
    pipe: int

    def dismiss(self) -> None:
        """End it: all is done."""
        os.close(self.pipe)
        os.waitpid(self.pid, 0)


def leave_successor(plan: dict[str, Any]) -> Successor:
    """Fork the process that ends and clears everything if this one no longer can."""
    watchdog = os.getpid()
    end, ours = os.pipe()
    if pid := os.fork():
        os.close(end)
        return Successor(pid, ours)
    os.setsid()  # who kills the watchdog's group does not kill this one
    os.close(ours)
    os.read(end, 1)  # returns when the watchdog is gone
    if Path(plan["temporary"]).exists():
        remove_key(plan)
        for pid in group_members(watchdog):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        leftovers.clear(Path(plan["temporary"]))
        remove_own_record(plan["record"], watchdog)
    os._exit(0)


def adopt_orphans() -> None:
    """Become the parent of what the server leaves, to reap it: a container's process 1 may not (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def die_with_watchdog() -> None:
    """In the server, before it starts: die if even the watchdog is killed with -9 (Linux only; this has one thread)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Idleness:
    """How long the server has finished no request, by its own metrics."""

    def __init__(self, url: str, key: str) -> None:
        self.asked = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"})
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy knows our loopback
        self.finished: float | None = None
        self.since = self.looked = time.monotonic()

    def seconds(self) -> float:
        """Seconds since a request was last seen to run or finish; looks every METRICS_S seconds."""
        now = time.monotonic()
        if now - self.looked >= METRICS_S:
            self.looked = now
            try:
                with self.opener.open(self.asked, timeout=5) as answer:
                    text = answer.read().decode()
            except OSError:
                return now - self.since
            finished, running = total(text, "vllm:request_success_total"), total(text, "vllm:num_requests_running")
            if running or finished != self.finished:
                self.finished, self.since = finished, now
        return now - self.since


def total(metrics: str, name: str) -> float:
    """The sum of a Prometheus metric over its labels."""
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)}(?:\{{.*\}})? (\S+)$", metrics, re.M))


def end_group() -> None:
    """SIGTERM to the group, then SIGKILL to what is left of it after GRACE_S seconds. The watchdog itself stays."""
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    wait_for_group(GRACE_S)
    for pid in group_members(os.getpgrp()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for_group(GRACE_S)


def wait_for_group(seconds: float) -> None:
    """Wait until nothing is left of the group but us, for so long at most; reap what ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        members = group_members(os.getpgrp())
        while os.waitpid(-1, os.WNOHANG)[0]:  # the successor, at least, is there
            pass
        if not members:
            return
        time.sleep(0.05)


def group_members(group: int) -> list[int]:
    """Living processes of a group, without ourselves; none are seen on systems without /proc."""
    members: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group = entry.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_group) == group and state != "Z" and int(entry.parent.name) != os.getpid():
            members.append(int(entry.parent.name))
    return members


def remove_key(plan: dict[str, Any]) -> None:
    """Remove the key's file, while the address is still ours: the next server there has a key of its own."""
    if plan.get("key"):
        Path(plan["key"]).unlink(missing_ok=True)


def remove_own_record(record: str | None, watchdog: int) -> None:
    """Remove the record file unless it is that of a server with another watchdog."""
    if record is None:
        return
    try:
        if json.loads(Path(record).read_text())["pid"] == watchdog:
            Path(record).unlink()
    except (FileNotFoundError, ValueError, KeyError):
        return


if __name__ == "__main__":
    sys.exit(main())
