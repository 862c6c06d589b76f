"""The set-up: from an empty folder to a .venv that holds exactly the pinned versions. `make setup` runs it.

uv does the work, itself pinned and brought into .venv by pip. Nothing is resolved: every distribution is pinned, so it
is installed without its dependencies, in the same way on every machine. Run again, it compares a stamp and ends at
once. It runs before .venv exists: standard library only.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path

from setup.environment import account_home, pip_environment, run_environment, uv_environment
from setup.machine import Accelerator, check_this_machine, find_accelerator
from setup.steps import LOG, SetupError, attempt, run, step

VENV = Path(".venv")
PYTHON = str(VENV / "bin/python")
STAMP = VENV / "medvista-setup"
REQUIREMENTS = Path("requirements")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NETWORK = "To mend: see that pip reaches its package index (`pip config list`), then run the same command again."
COMPILER = "To mend: flash-attn needs nvcc of CUDA 13 on PATH, or its wheel in a folder that PIP_FIND_LINKS names."


def main() -> None:
    """Bring .venv up to date with requirements/, or say that it is.

    The stamp is written last and removed first: without one, the set-up before was interrupted, and .venv is made anew.
    So it is for another accelerator, torch or Python, on which all that is compiled rests. uv's cache makes that quick.
    """
    started = time.monotonic()
    check_this_machine()
    accelerator = find_accelerator()
    python = f"Python {platform.python_version()}"
    place = f"{accelerator} set, torch {pin('torch', accelerator)}, {python} of {sys.base_prefix}, {Path.cwd()}\n"
    wanted = place + fingerprint(*REQUIREMENTS.iterdir(), *(Path("setup") / f"{n}.py" for n in ("install", "verify")))
    last = STAMP.read_text(encoding="utf-8") if STAMP.is_file() else ""
    if last == wanted:
        print(
            f"set-up: .venv is up to date ({accelerator.upper()} set, {time.monotonic() - started:.1f} s)", flush=True
        )
        return
    print(f"set-up: {python}, {accelerator.upper()} set", flush=True)
    LOG.unlink(missing_ok=True)
    STAMP.unlink(missing_ok=True)
    environment = make_venv(accelerator, keep=last.startswith(place))
    install(accelerator, environment)
    variables = run_environment(os.environ, Path.cwd())
    if accelerator == "cpu":
        compile_ops(variables | {"DS_ACCELERATOR": "cpu"})
    with step("import check"):
        run([PYTHON, "-m", "setup.verify", "imports", accelerator], variables, "To mend: make clean, then again.")
    STAMP.write_text(wanted, encoding="utf-8")
    print(f"set-up: done in {time.monotonic() - started:.0f} s", flush=True)


def pin(name: str, accelerator: Accelerator) -> str:
    """The version at which the set has `name`."""
    text = "".join((REQUIREMENTS / f"{file}.txt").read_text(encoding="utf-8") for file in ("shared", accelerator))
    found = re.search(rf"^{name}==(\S+)", text, re.MULTILINE)
    if found is None:
        raise SetupError(f"{REQUIREMENTS}/ has no line {name}==VERSION for {accelerator}. To mend: git checkout it.")
    return found[1]


def fingerprint(*files: Path) -> str:
    """A SHA-256 over each file's name and content, and over what our own installation holds: entry points."""
    listed = [f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.as_posix()}\n" for file in sorted(files)]
    ours = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    return hashlib.sha256(f"{''.join(listed)}{ours}".encode()).hexdigest()


def make_venv(accelerator: Accelerator, keep: bool) -> dict[str, str]:
    """A .venv that holds pip and the pinned uv; returns the environment in which uv finds what pip would.

    DeepSpeed's ops are not built with it but where they are used.
    """
    pip = pip_environment(os.environ, account_home())
    with step("virtual environment .venv, kept" if keep else "virtual environment .venv"):
        if not keep:
            run([sys.executable, "-m", "venv", "--clear", str(VENV)], os.environ, "To mend: make clean, then again.")
        uv = f"uv=={pin('uv', accelerator)}"
        run([PYTHON, "-m", "pip", "install", "--no-deps", "--no-compile", uv], pip, NETWORK)
        command = (PYTHON, "-m", "pip", "config", "list")
        settings = subprocess.run(command, env=pip, capture_output=True, text=True, check=True).stdout
    deepspeed = {"DS_BUILD_OPS": "0"} | ({"DS_ACCELERATOR": "cpu"} if accelerator == "cpu" else {})
    return uv_environment(pip, settings) | deepspeed


def install(accelerator: Accelerator, environment: Mapping[str, str]) -> None:
    """All that is pinned, and the four packages from where they lie, so that Ray's workers import them everywhere.

    DeepSpeed's build must not see torch (with the pinned setuptools it then fails): it is isolated, its tools held to
    our pins. flash-attn's must see it: it comes last, and compiles for as long as an hour if no wheel is found.
    """
    shared = str(REQUIREMENTS / "shared.txt")
    if accelerator == "cpu":
        install_cpu_torch(pin("torch", accelerator), environment)
    with step("all pinned packages, MedVista itself (editable)"):
        files = (part for name in (accelerator, "trainer") for part in ("-r", str(REQUIREMENTS / f"{name}.txt")))
        run(uv("--build-constraints", shared, "-r", shared, *files, "-e", "."), environment, NETWORK)
    if accelerator == "gpu":
        with step("flash-attn, compiled unless a wheel is found"):
            inside = {**environment, "PATH": run_environment(environment, Path.cwd())["PATH"]}
            run(uv("--no-build-isolation", "-r", str(REQUIREMENTS / "trainer-gpu.txt")), inside, COMPILER)


def install_cpu_torch(version: str, environment: Mapping[str, str]) -> None:
    """torch's build for the CPU, from where packages come from here, else PyTorch's own index, torchvision's with it.

    A plain `torch` on Linux is the build for CUDA, with gigabytes of CUDA packages; `2.13.0+cpu` can never be that one.
    torchvision's build for CUDA is good enough: its Python side works here (agent/serving/cpu).
    """
    torch, torchvision = f"torch=={version}", f"torchvision=={pin('torchvision', 'cpu')}"
    with step(f"torch {version}") as notes:
        if attempt(uv(torch), environment):
            notes.append("from where packages come from here")
        elif attempt(uv("--default-index", CPU_INDEX, torch, torchvision), environment):
            notes.append("from PyTorch's CPU index")
        else:
            raise SetupError(
                f"no CPU build of torch, {version}, for Python {platform.python_version()} was found: asked where pip "
                f"is configured to look (`pip config list`), then {CPU_INDEX}. To mend: make one of them reachable, or "
                f"put the wheel into a folder and run PIP_FIND_LINKS=FOLDER make setup. All that was tried: {LOG}"
            )


def compile_ops(variables: Mapping[str, str]) -> None:
    """DeepSpeed's CPU ops, so that no run stops a minute to compile them."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")
    with step("DeepSpeed's ops for the CPU, compiled once") as notes:
        if compiler and header.is_file():
            mend = "To mend: install g++ and the Python headers, set up again."
            run([PYTHON, "-m", "setup.verify", "ops"], variables, mend)
        else:
            missing = header if compiler else "a C++ compiler"
            notes.append(f"left out: {missing} is missing; training compiles them then: install g++ and python3-dev")


def uv(*arguments: str) -> list[str]:
    """The command that installs exactly what it is told."""
    return [str(VENV / "bin/uv"), "pip", "install", "--python", PYTHON, "--no-deps", *arguments]


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"set-up stopped: {error}")
    except KeyboardInterrupt:
        sys.exit("set-up interrupted. The same command starts it over.")
