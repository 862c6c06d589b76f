"""setup/find_python, the only part that runs on whatever Python the machine has."""

import subprocess
import sys
from pathlib import Path


def find_python(*candidates: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{path}:/usr/bin:/bin" if path else "/usr/bin:/bin", "HOME": "/nonexistent"}
    command = ["bash", "setup/find_python", *candidates]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_this_python_is_accepted() -> None:
    found = find_python(sys.executable)
    assert (found.returncode, found.stdout.strip()) == (0, sys.executable)


def test_without_a_fit_python_the_error_lists_what_was_tried(tmp_path: Path) -> None:
    for name, answer in (("python-old", "is 3.9"), ("python-bare", "lacks ensurepip")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{answer}' >&2\nexit 1\n")
        program.chmod(0o755)
    found = find_python("python-old", "python-bare", "python-absent", path=tmp_path)
    assert found.returncode == 1
    assert found.stdout == ""
    assert "Expected 3.11 or 3.12" in found.stderr
    assert "  python-old: is 3.9\n  python-bare: lacks ensurepip\n" in found.stderr
    assert "python-absent" not in found.stderr
    assert "MEDVISTA_PYTHON=" in found.stderr
