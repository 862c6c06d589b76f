"""What a person reads while the set-up works, and when it fails."""

import os
from pathlib import Path

import pytest

from setup.steps import SetupError, attempt, run, step


def test_a_step_is_one_line_with_its_seconds_and_its_notes(capsys: pytest.CaptureFixture[str]) -> None:
    with step("torch") as notes:
        notes.append("from an index")
    assert capsys.readouterr().out == "set-up: torch ... 0.0 s (from an index)\n"


def test_a_step_that_fails_says_when_and_passes_the_error_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SetupError, match="no index"), step("torch"):
        raise SetupError("no index")
    assert capsys.readouterr().out == "set-up: torch ... stopped after 0.0 s\n"


def test_a_failing_command_shows_the_end_of_its_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert attempt(["true"], os.environ)
    with pytest.raises(SetupError) as caught:
        run(["sh", "-c", "seq 1 40; exit 3"], os.environ, "To mend: count less.")
    lines = str(caught.value).splitlines()
    assert lines[0] == "sh -c seq 1 40; exit 3"
    assert lines[1:-1] == [f"  {number}" for number in range(16, 41)]
    assert lines[-1] == "To mend: count less. All of its output: setup.log"
