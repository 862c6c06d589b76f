"""Which machines the set-up accepts, and how it finds a GPU."""

from pathlib import Path

import pytest

from setup.errors import SetupError
from setup.machine import check_platform, find_accelerator


def test_linux_on_x86_64_with_a_recent_glibc_is_accepted() -> None:
    check_platform("Linux", "x86_64", ("glibc", "2.31"))
    check_platform("Linux", "x86_64", ("glibc", "2.36"))


@pytest.mark.parametrize(
    ("system", "machine", "libc", "said"),
    [
        ("Darwin", "arm64", ("", ""), "Darwin arm64"),
        ("Linux", "aarch64", ("glibc", "2.36"), "Linux aarch64"),
        ("Linux", "x86_64", ("glibc", "2.28"), "glibc 2.28"),
        ("Linux", "x86_64", ("", ""), "unknown"),
    ],
)
def test_other_machines_are_refused_with_what_was_found(
    system: str, machine: str, libc: tuple[str, str], said: str
) -> None:
    with pytest.raises(SetupError, match=said):
        check_platform(system, machine, libc)


def test_the_person_may_overrule_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDVISTA_ACCELERATOR", "gpu")
    assert find_accelerator() == "gpu"
    monkeypatch.setenv("MEDVISTA_ACCELERATOR", "cpu")
    assert find_accelerator() == "cpu"
    monkeypatch.setenv("MEDVISTA_ACCELERATOR", "tpu")
    with pytest.raises(SetupError, match="'tpu'; expected cpu, gpu"):
        find_accelerator()


def test_a_gpu_that_the_driver_lists_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MEDVISTA_ACCELERATOR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H200 (UUID: GPU-0)'\n")
    program.chmod(0o755)
    assert find_accelerator() == "gpu"


def test_nvidia_smi_without_a_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MEDVISTA_ACCELERATOR", raising=False)
    monkeypatch.setattr("setup.machine._cuda_counts_gpu", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed: it could not reach the driver. GPU lost'\nexit 9\n")
    program.chmod(0o755)
    assert find_accelerator() == "cpu"
