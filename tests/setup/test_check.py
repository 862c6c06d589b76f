"""The check command stops at the first failure, and says where."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from setup import check


def put_programs(folder: Path, **statuses: int) -> None:
    """Programs in `folder` that print their name and end with the given status."""
    folder.mkdir(parents=True)
    for name, status in statuses.items():
        program = folder / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\necho {name} $*\nexit {status}\n")
        program.chmod(0o755)


def test_the_first_failure_ends_the_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check, "side_by_side", lambda: 1)
    put_programs(tmp_path / ".venv/bin", ruff=0, pyright=3, lint_imports=0, python=0)
    assert check.main([]) == 3
    lines = capfd.readouterr().out.splitlines()
    assert [line.split(" ...")[0] for line in lines[:3]] == [
        "check 1/5: format",
        "check 2/5: lint",
        "check 3/5: types",
    ]
    assert lines[-1] == "check stopped at types: `pyright` ended with 3"
    assert not any(line.startswith("python") for line in lines)


def test_pytest_has_the_last_word_and_its_status_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    put_programs(tmp_path / ".venv/bin", ruff=0, pyright=0, lint_imports=0, python=1)
    assert check.main(["-k", "ledger"]) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "python -m pytest -k ledger"


def test_with_room_the_tests_run_side_by_side_and_then_those_beside_which_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check, "side_by_side", lambda: 2)
    put_programs(tmp_path / ".venv/bin", ruff=0, pyright=0, lint_imports=0, python=0)
    assert check.main([]) == 0
    assert [line for line in capfd.readouterr().out.splitlines() if line.startswith("python")] == [
        "python -m pytest -p setup.check -m not alone -n 2 --dist loadfile --no-loadscope-reorder",
        "python -m pytest -p setup.check -m alone",
    ]
    (tmp_path / ".venv/bin/python").write_text("#!/bin/sh\necho $*\nexit 1\n")
    assert check.main([]) == 1
    assert "-m alone" in capfd.readouterr().out  # whoever waited for half an hour is told of all that fails


@pytest.mark.parametrize(
    ("accelerator", "cores", "gib", "processes"),
    [("cpu", 2, 23.4, 2), ("cpu", 1, 64, 1), ("cpu", 8, 15.6, 1), ("cpu", 8, 64, 4), ("gpu", 8, 64, 1)],
)
def test_a_process_takes_a_core_and_ten_gib_and_no_part_of_a_gpu(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, cores: int, gib: float, processes: int
) -> None:
    monkeypatch.setattr(check, "find_accelerator", lambda: accelerator)
    monkeypatch.setattr(check.os, "sched_getaffinity", lambda pid: set(range(cores)))
    monkeypatch.setattr(check.psutil, "virtual_memory", lambda: SimpleNamespace(total=int(gib * 2**30)))
    assert check.side_by_side() == processes


def test_every_test_is_in_one_of_the_two_runs_and_the_longest_come_first(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    for folder in ("tests/graphs", "tests/rl/training", "tests/tools/run"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "test_a.py").write_text(
            "import pytest\ndef test_fast(): pass\n@pytest.mark.slow\ndef test_slow(): pass\n"
        )
    ran: list[list[str]] = []
    for _, command in check.runs_of_pytest([], 2):
        in_one_process = (*command[1:], "-n", "0") if "-n" in command else command[1:]
        command = (sys.executable, *in_one_process, "--import-mode=importlib", "-v")
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        ran.append([word for word in done.stdout.split() if "::" in word])
    graphs, training, tools = (f"tests/{name}/test_a.py::test_" for name in ("graphs", "rl/training", "tools/run"))
    beside = [f"{training}slow", f"{graphs}fast", f"{graphs}slow", f"{training}fast", f"{tools}fast"]
    assert ran == [beside, [f"{tools}slow"]]  # whole trainings are begun first


def test_what_is_put_first_or_last_has_slow_tests() -> None:
    for named in map(Path, check.ALONE + check.LONGEST):
        tests = [named] if named.is_file() else named.rglob("test_*.py")
        assert any("pytest.mark.slow" in test.read_text() for test in tests), named
