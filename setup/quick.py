"""The inner loop, `make quick`: format, lint and types of the changed Python files, and the fast tests nearest to them.

Changed is what differs from where the branch left main, committed or not. A test file belongs to a changed file that it
is, mirrors (tests/a/test_b.py for a/b.py), imports, or, if that is not Python, names. Of many, the nearest are run.
"""

import ast
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pytest

from setup.environment import run_environment

MOST_TEST_FILES = 20
MOST_SECONDS = 40.0
"""So many test files are collected, the nearest; so long their tests are run. What all else imports has hundreds."""

START = time.monotonic()


def changed_files(base: str = "main") -> list[str]:
    """Paths that differ from where this branch left `base`, new and deleted ones too; without `base`, from HEAD."""
    found = _git("merge-base", "HEAD", base) or _git("merge-base", "HEAD", f"origin/{base}") or ["HEAD"]
    return sorted(
        {*_git("diff", "--name-only", "--no-renames", found[0]), *_git("ls-files", "--others", "--exclude-standard")}
    )


def _git(*arguments: str) -> list[str]:
    return subprocess.run(("git", *arguments), capture_output=True, text=True, check=False).stdout.splitlines()


def module_of(path: str) -> str:
    """The dotted name under which the file of a package is imported."""
    return ".".join(PurePosixPath(path).with_suffix("").parts).removesuffix(".__init__")


def names_in(source: str) -> set[str]:
    """Every module that a source may import, in functions too: `from a import b` names a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return names


def nearest_tests(changed: Iterable[str], tests: Iterable[Path]) -> list[Path]:
    """Those of `tests` that belong to a changed file, nearest first: itself, its mirror, then by folders in common."""
    changed = list(changed)
    modules = {module_of(path): path for path in changed if path.endswith(".py")}
    others = [path for path in changed if not path.endswith(".py")]
    distance: dict[Path, int] = {}
    for test in tests:
        source = test.read_text(encoding="utf-8")
        mirrored = PurePosixPath(*test.parts[1:-1], f"{test.stem.removeprefix('test_')}.py").as_posix()
        own = [path for path in changed if path in (test.as_posix(), mirrored)]
        used = [modules[name] for name in names_in(source) & modules.keys()]
        used += [path for path in others if re.search(rf"""["'/]{re.escape(PurePosixPath(path).name)}["'/]""", source)]
        if own or used:
            apart = [len(PurePosixPath(path).parent.parts) - _shared(path, test) for path in used]
            distance[test] = -1 if own else min(apart)
    return sorted(distance, key=lambda test: (distance[test], test))


def _shared(path: str, test: Path) -> int:
    """How many folders a file and a test have in common, from the top."""
    pairs = list(zip(PurePosixPath(path).parent.parts, test.parent.parts[1:], strict=False))
    return next((number for number, (one, other) in enumerate(pairs) if one != other), len(pairs))


def typed(paths: Iterable[str]) -> list[str]:
    """Those that pyright checks: what its configuration includes."""
    included = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["pyright"]["include"]
    return [path for path in paths if path.split("/")[0] in included]


def main() -> int:
    """Run the checks at once, print each as it ends; 0 if all are well. The types are checked while the tests run."""
    changed = changed_files()
    sources = [path for path in changed if path.endswith(".py") and Path(path).is_file()]
    tests = nearest_tests(changed, sorted(Path("tests").rglob("test_*.py")))
    nearest = tests[:MOST_TEST_FILES]
    left = f", of which the nearest {MOST_TEST_FILES} are run" if len(tests) > MOST_TEST_FILES else ""
    print(f"quick: {len(changed)} changed files, {len(tests)} test files belong to them{left}", flush=True)
    checks: list[tuple[str, Sequence[str]]] = []
    if sources:
        checks += [("format", ("ruff", "format", "--check", *sources)), ("lint", ("ruff", "check", *sources))]
        checks += [("import layers", ("lint-imports",))]
    if typed(sources):
        checks += [("types", ("pyright", *typed(sources)))]
    if nearest:
        command = ("pytest", "-q", "-p", "setup.quick", "-m", "not slow and not gpu", *map(str, nearest))
        checks += [("fast tests", command)]
    return run_together(checks)


def run_together(checks: Iterable[tuple[str, Sequence[str]]]) -> int:
    """Start every check, then wait for each in turn and show what a failing one printed; how many failed."""
    environment = {**run_environment(os.environ, Path.cwd()), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}

    def start(command: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    failed = 0
    for title, process in [(title, start(command)) for title, command in checks]:
        output = process.communicate()[0]
        good = process.returncode == 0 or (title == "fast tests" and process.returncode == 5)  # 5: none is fast
        failed += not good
        print(f"quick: {title} {'well' if good else 'failed'} after {time.monotonic() - START:.1f} s", flush=True)
        if not good or title == "fast tests":
            print(output, end="", flush=True)
    return failed


# As pytest's plugin (-p setup.quick): no test starts after MOST_SECONDS, which by itself is no failure.


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """pytest's hook, after each test."""
    if time.monotonic() - START > MOST_SECONDS:
        item.session.shouldstop = f"{MOST_SECONDS:.0f} s are over, make check runs all"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """pytest's hook, before it ends with session.exitstatus."""
    if "make check runs all" in str(session.shouldstop) and not session.testsfailed:
        session.exitstatus = pytest.ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
