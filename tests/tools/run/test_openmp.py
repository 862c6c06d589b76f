"""Threads of torch sleep while they wait, unless the user wants it otherwise."""

import os
from pathlib import Path

import pytest

from agent.serving.server_command import ServerOptions, server_environment
from tools.run.openmp import SLEEPING, sleep_while_waiting


def test_whoever_has_set_it_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    sleep_while_waiting()
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"]) == ("PASSIVE", "7")


def test_a_server_on_the_cores_sleeps_and_one_on_a_gpu_does_as_it_likes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in SLEEPING:
        monkeypatch.delenv(name, raising=False)
    on_cores = server_environment(ServerOptions(), "cpu", tmp_path, tmp_path / "key")
    assert SLEEPING.items() <= on_cores.items()
    own = ServerOptions(environment={"OMP_WAIT_POLICY": "ACTIVE"})
    assert server_environment(own, "cpu", tmp_path, tmp_path / "key")["OMP_WAIT_POLICY"] == "ACTIVE"
    assert not SLEEPING.keys() & server_environment(ServerOptions(), "gpu", tmp_path, tmp_path / "key").keys()
