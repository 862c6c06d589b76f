"""The check command stops at the first failure, and says where."""

from pathlib import Path

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
    put_programs(tmp_path / ".venv/bin", ruff=0, pyright=3, lint_imports=0, pytest=0)
    assert check.main([]) == 3
    lines = capfd.readouterr().out.splitlines()
    assert [line.split(" ...")[0] for line in lines[:3]] == [
        "check 1/5: format",
        "check 2/5: lint",
        "check 3/5: types",
    ]
    assert lines[-1] == "check stopped at types: `pyright` ended with 3"
    assert not any(line.startswith("pytest") for line in lines)


def test_pytest_has_the_last_word_and_its_status_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    put_programs(tmp_path / ".venv/bin", ruff=0, pyright=0, lint_imports=0, pytest=1)
    assert check.main(["-k", "ledger"]) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "pytest -k ledger"
