"""The one check command: format, lint, types, import layers, tests, in this order; the first that fails ends it.

pytest runs last, all of its runs, and has the last word: its summary closes the output. Arguments go to pytest, which
then runs once, as they say. Without any, and where the machine has room, the tests run side by side, a file in one
process and the longest first; then those that measure against a clock run alone. As pytest's plugin (-p setup.check)
this module marks and orders them.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from setup.environment import run_environment
from setup.machine import find_accelerator

QUICK_CHECKS = (
    ("format", ("ruff", "format", "--check", ".")),
    ("lint", ("ruff", "check", ".")),
    ("types", ("pyright",)),
    ("import layers", ("lint-imports",)),
)

PYTEST = ("python", "-m", "pytest")

ALONE = ("tests/agent/serving/test_live_server.py", "tests/graphs/app/test_live.py", "tests/tools/run/")
"""The slow tests here count what is in flight as a swap begins, or are ended by a clock: nothing beside them."""

LONGEST = ("tests/rl/training/test_stand_ins.py", "tests/rl/training/", "tests/rl/rollout/")
"""The slow tests here are whole trainings: begun first, in this order, so that no process is left with one at the end.
Those of the first file need most memory: they share a process, as the tests of a file do, so one runs at a time."""

MOST_PROCESSES = 4
GIB_PER_PROCESS = 10
"""A whole training takes 6 GiB, one of LONGEST's first file 12; Ray ends what it started at 95 % of the machine's."""


def main(pytest_arguments: list[str]) -> int:
    """Run the checks; returns the exit status of the first that fails, else pytest's: all tests are run."""
    environment = run_environment(os.environ, Path.cwd())
    environment["PYRIGHT_PYTHON_IGNORE_WARNINGS"] = "1"
    runs = runs_of_pytest(pytest_arguments, side_by_side())
    total = len(QUICK_CHECKS) + len(runs)
    for number, (title, command) in enumerate(QUICK_CHECKS, start=1):
        start = time.monotonic()
        print(f"check {number}/{total}: {title} ", end="", flush=True)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - start
        if done.returncode != 0:
            print(f"... failed after {seconds:.1f} s\n{done.stdout}{done.stderr}", flush=True)
            print(f"check stopped at {title}: `{' '.join(command)}` ended with {done.returncode}", flush=True)
            return done.returncode
        print(f"... {seconds:.1f} s", flush=True)
    status = 0
    for number, (title, command) in enumerate(runs, start=len(QUICK_CHECKS) + 1):
        print(f"check {number}/{total}: {title} (seconds are in pytest's own report)", flush=True)
        status = subprocess.run(command, env=environment, check=False).returncode or status
    return status


def side_by_side() -> int:
    """How many processes test at once here: one per core and 10 GiB; one where they would share a GPU."""
    if find_accelerator() == "gpu":
        return 1
    room = psutil.virtual_memory().total // (GIB_PER_PROCESS * 2**30)
    return max(1, min(len(os.sched_getaffinity(0)), room, MOST_PROCESSES))


def runs_of_pytest(arguments: list[str], processes: int) -> list[tuple[str, tuple[str, ...]]]:
    """Each run of pytest: its title and command."""
    if arguments or processes == 1:
        return [("tests", (*PYTEST, *arguments))]
    spread = ("-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder")
    marked = (*PYTEST, "-p", "setup.check", "-m")
    return [
        (f"tests, {processes} side by side", (*marked, "not alone", *spread)),
        ("tests beside which nothing runs", (*marked, "alone")),
    ]


def pytest_configure(config: pytest.Config) -> None:
    """pytest's hook: the mark exists."""
    config.addinivalue_line("markers", "alone: nothing runs beside it")


@pytest.hookimpl(tryfirst=True)  # before -m is heeded
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest's hook: set the mark; put whole trainings first, then the other slow tests."""
    for item in items:
        if is_slow(item) and item.nodeid.startswith(ALONE):
            item.add_marker("alone")
    slow_files = {item.path for item in items if is_slow(item)}
    items.sort(key=lambda item: (place(item), item.path not in slow_files))


def is_slow(item: pytest.Item) -> bool:
    """Whether the test is marked so."""
    return item.get_closest_marker("slow") is not None


def place(item: pytest.Item) -> int:
    """The first of LONGEST that the slow test is of, or behind them all."""
    places = (number for number, start in enumerate(LONGEST) if is_slow(item) and item.nodeid.startswith(start))
    return next(places, len(LONGEST))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
