"""What is told while vLLM starts, where nobody sees a spinner."""

from pathlib import Path

import pytest

from agent.serving import startup_progress
from agent.serving.startup_progress import StartupProgress, stage


def test_plain_lines_say_what_it_waits_for_and_for_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(startup_progress, "TELL_S", 0.0)
    log = tmp_path / "server.log"
    log.write_text("an earlier server: Supported tasks\n")
    with StartupProgress("warmup", log, log.stat().st_size, wanted=True) as progress:
        progress.goes_on()
        with log.open("a") as file:
            file.write("(Worker pid=1) INFO Starting to load model /m...\n")
        progress.goes_on()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        f"Starting vLLM with warmup, which may take minutes; its log is {log}",
        "vLLM has been starting for 0 s: importing vLLM",
        "vLLM has been starting for 0 s: loading the weights",
        "vLLM is ready after 0 s",
    ]


def test_between_two_lines_it_is_silent_and_a_failure_is_not_called_ready(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "server.log"
    log.touch()
    with pytest.raises(RuntimeError), StartupProgress("a", log, 0, wanted=True) as progress:
        progress.goes_on()
        raise RuntimeError
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_who_wants_to_hear_nothing_hears_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StartupProgress("a", tmp_path / "server.log", 0, wanted=False):
        pass
    assert capsys.readouterr().err == ""


def test_the_last_stage_that_was_reached_is_told() -> None:
    assert stage("") == "importing vLLM"
    assert stage("non-default args: {}\nResolved architecture: X\n") == "starting the engine's processes"
    assert stage("Loading weights took 0.01 seconds\n") == "warming up"
