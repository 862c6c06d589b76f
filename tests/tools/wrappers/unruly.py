"""Medical tools that misbehave for real, for processes to import. None is registered, so nothing else can call them."""

import ctypes
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
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
    """Write into every open file and pipe."""
    for each in range(3, 32):
        try:
            os.write(each, b"\0\0\0\5hello")
        except OSError:
            continue
    return Evidence("said")


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
