"""Medical tools that misbehave for real, for processes to import. None is registered, so nothing else can call them."""

import contextlib
import ctypes
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence, Measurement
from tools.images.image import MedicalImage
from tools.medical_tool import MedicalTool, medical_tool

warmed: list[int] = []
"""Processes in which `warm` was warmed up."""


def unregistered(**options) -> Callable[[Callable[[MedicalImage], Evidence]], MedicalTool]:
    """A medical tool that `load_tools` does not know: it counts as made inside a function."""

    def made(function: Callable[[MedicalImage], Evidence]) -> MedicalTool:
        function.__qualname__ = f"unregistered.<locals>.{function.__name__}"
        return medical_tool(**options)(function)

    return made


@unregistered()
def segfault(image: MedicalImage) -> Evidence:
    """Read where nothing is."""
    return Evidence(ctypes.string_at(0).decode())


@unregistered()
def leave(image: MedicalImage) -> Evidence:
    """End the process at once."""
    os._exit(3)


@unregistered(deadline_s=1.0)
def loop(image: MedicalImage) -> Evidence:
    """Loop in C, without ever letting Python run."""
    re.match(r"(a+)+$", "a" * 60 + "b")
    return Evidence("")


@unregistered()
def greedy(image: MedicalImage) -> Evidence:
    """Take 64 GB of memory and touch it."""
    return Evidence(str(np.ones(8 * 2**30).sum()))


@unregistered()
def babble(image: MedicalImage) -> Evidence:
    """Write into every open file, pipe and socket, whatever its number, but for the program's standard error."""
    print("a tool that prints")
    for each in map(int, os.listdir("/proc/self/fd")):
        for noise in (b"\0\0\0\5hello", b"", b"x" * 100_000):
            with contextlib.suppress(OSError):
                os.write(each, noise) if each > 2 else None
    return Evidence(f"said {os.getpid()}")


@unregistered()
def close_all(image: MedicalImage) -> Evidence:
    """Close every open file, pipe and socket."""
    os.closerange(3, 100_000)
    return Evidence("closed")


@unregistered()
def garbage(image: MedicalImage) -> Evidence:
    """Return a measurement that nobody validated."""
    return Evidence("many", measurements=(Measurement.model_construct(name="count", value="many", unit=None),))


@unregistered()
def unspeakable(image: MedicalImage) -> Evidence:
    """Fail in words that no encoding has."""
    raise ToolFailed("half \ud800 a pair")


@unregistered()
def wrong(image: MedicalImage) -> Evidence:
    """Return another type."""
    return "text"  # type: ignore[return-value]


@unregistered()
def huge(image: MedicalImage) -> Evidence:
    """Return an image that is too large."""
    return Evidence("big", images=(MedicalImage(np.zeros((8001, 8000), np.uint8)),))


@unregistered()
def buggy(image: MedicalImage) -> Evidence:
    """Divide by zero."""
    return Evidence(str(1 // (image.width - image.width)))


@unregistered()
def ask_again(image: MedicalImage) -> Evidence:
    """Send the call back."""
    raise ToolRetry("Got 3, expected 4: give 4.")


@unregistered()
def refuse(image: MedicalImage) -> Evidence:
    """Fail."""
    raise ToolFailed("It is too dark.")


@unregistered()
def corner(image: MedicalImage) -> Evidence:
    """Show the upper left corner."""
    print("a tool that prints")
    return Evidence(f"Corner of image {image.number}.", images=(image.crop((0, 0, 8, 8)),))


@unregistered(warm_up=lambda: warmed.append(os.getpid()))
def warm(image: MedicalImage) -> Evidence:
    """Say in which process it is, and in which ones it was warmed up."""
    return Evidence(f"{os.getpid()} {warmed}")


@unregistered(deadline_s=600.0)
def family(image: MedicalImage) -> Evidence:
    """Start a process, tell both ids in a file, and loop in C."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(os.environ["UNRULY_PIDS"], "a") as file:
        file.write(f"{os.getpid()} {child.pid}\n")
    re.match(r"(a+)+$", "a" * 60 + "b")
    return Evidence("")


@unregistered(deadline_s=600.0)
def slow(image: MedicalImage) -> Evidence:
    """Take a while."""
    time.sleep(0.5)
    return Evidence(str(os.getpid()))
