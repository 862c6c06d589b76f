"""Which machines the set-up accepts, and how it finds a GPU."""

import subprocess
from pathlib import Path

import pytest

from setup.machine import check_platform, cuda_counts_gpu, find_accelerator
from setup.steps import SetupError


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


@pytest.mark.parametrize(("status", "count", "found"), [(0, 1, True), (0, 0, False), (100, 1, False)])
def test_a_gpu_is_what_the_cuda_driver_counts(tmp_path: Path, status: int, count: int, found: bool) -> None:
    driver = tmp_path / "libcuda.so.1"
    source = f"int cuInit(unsigned f) {{ return {status}; }} int cuDeviceGetCount(int *n) {{ *n = {count}; return 0; }}"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", str(driver), "-"], input=source, text=True, check=True)
    assert cuda_counts_gpu(str(driver)) is found
    assert not cuda_counts_gpu(str(tmp_path / "absent.so"))
