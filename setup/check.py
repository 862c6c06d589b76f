"""The one check command: format, lint, types, import layers, tests, in this order; the first that fails ends it.

pytest runs last and has the last word: its summary closes the output. Arguments go to pytest.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from setup.environment import run_environment

QUICK_CHECKS = (
    ("format", ("ruff", "format", "--check", ".")),
    ("lint", ("ruff", "check", ".")),
    ("types", ("pyright",)),
    ("import layers", ("lint-imports",)),
)


def main(pytest_arguments: list[str]) -> int:
    """Run the checks; returns the exit status of the first that fails, else pytest's."""
    environment = run_environment(os.environ, Path.cwd())
    environment["PYRIGHT_PYTHON_IGNORE_WARNINGS"] = "1"
    total = len(QUICK_CHECKS) + 1
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
    print(f"check {total}/{total}: tests (each test's seconds are in pytest's own report)", flush=True)
    return subprocess.run(("pytest", *pytest_arguments), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
