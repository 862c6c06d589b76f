"""Reading requirements/: which files make a set, and what each pins."""

from pathlib import Path

from setup.errors import SetupError
from setup.machine import Accelerator

REQUIREMENTS = Path("requirements")

TORCH_NAMES = ("torch", "torchvision")
"""Installed in a step of their own, because where their CPU builds come from differs from machine to machine."""


def main_files(accelerator: Accelerator) -> tuple[Path, ...]:
    """The files of a set that need nothing compiled."""
    return REQUIREMENTS / "shared.txt", REQUIREMENTS / f"{accelerator}.txt"


def trainer_files(accelerator: Accelerator) -> tuple[Path, ...]:
    """The files of a set whose packages build against the torch that is installed by then."""
    trainer = REQUIREMENTS / "trainer.txt"
    return (trainer, REQUIREMENTS / "trainer-gpu.txt") if accelerator == "gpu" else (trainer,)


def read_pins(*files: Path) -> dict[str, str]:
    """Distribution name (lower case, dashes) to exact version, over all `files`.

    Raises SetupError on a line that is no exact pin, and on a name pinned twice.
    """
    pins: dict[str, str] = {}
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            text = line.split("#")[0].strip()
            if not text:
                continue
            name, equals, version = text.partition("==")
            if not equals or not name or not version or any(sign in text for sign in " ;@+<>*"):
                raise SetupError(f"{file}:{number}: got {text!r}, expected NAME==VERSION, no address, no local part.")
            if name in pins:
                raise SetupError(f"{file}:{number}: {name} is pinned twice ({pins[name]} and {version}).")
            pins[name] = version
    return pins
